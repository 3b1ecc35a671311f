"""AVF-MAE++ nano, pre-training on synthetic talking faces; batch 16, 20 epochs: minutes on two CPU cores.

python tools/train.py configs/avf_mae/avf_mae_nano_pretrain_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic``. Not a published size: there is no
published number.
"""

_base_ = [
    '../_base_/models/avf_mae_nano_pretrain.py',
    '../_base_/datasets/synthetic_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='RunningCellMask', ratio=0.5, grid=(4, 4, 4)),
    dict(type='RandomMask', stream='audio', ratio=0.5, grid=(16, 4), for_decoder=True),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=5.0))
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20)
default_hooks = dict(checkpoint=dict(interval=4))
