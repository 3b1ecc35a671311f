"""VAEmo nano, first stage on synthetic talking faces; batch 16, 20 epochs: some two minutes on two CPU cores.

python tools/train.py configs/vaemo/vaemo_nano_pretrain_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic``. There is no published number.
"""

_base_ = [
    '../_base_/models/vaemo_nano_pretrain.py',
    '../_base_/datasets/synthetic_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=5.0))
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20)
default_hooks = dict(checkpoint=dict(interval=4))
