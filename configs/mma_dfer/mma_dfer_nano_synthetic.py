"""MMA-DFER nano on synthetic talking faces, 6 emotions, from random weights; batch 16, 20 epochs.

python tools/train.py configs/mma_dfer/mma_dfer_nano_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic``. Not a published size: there is
no published number.
"""

_base_ = [
    '../_base_/models/mma_dfer_nano.py',
    '../_base_/datasets/synthetic_segments.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(layer_decay=0.9),
    clip_grad=dict(max_norm=5.0),
)
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20, val_interval=5)
default_hooks = dict(checkpoint=dict(interval=5))
