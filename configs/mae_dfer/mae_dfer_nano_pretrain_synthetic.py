"""MAE-DFER nano, pre-training on synthetic talking faces, picture alone; batch 16, 20 epochs: a minute on two CPU cores.

python tools/train.py configs/mae_dfer/mae_dfer_nano_pretrain_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic``. Not a published size: there is no
published number.
"""

_base_ = [
    '../_base_/models/mae_dfer_nano_pretrain.py',
    '../_base_/datasets/synthetic_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=1.5),
    dict(type='SampleClips', mode='pretrain', clip_len=8, frame_interval=8),
    dict(type='DecodeFrames'),
    dict(type='mmaction.MultiScaleCrop', input_size=96, scales=(1, 0.875, 0.75), num_fixed_crops=13),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='SymmetricWindowMask', ratio=0.75, grid=(4, 4, 4), window=(2, 4), symmetry=None),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(dataset=dict(streams=('video',), pipeline=train_pipeline))
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=5.0))
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20)
default_hooks = dict(checkpoint=dict(interval=4))
