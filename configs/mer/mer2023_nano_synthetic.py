"""MER2023 baseline on features of the synthetic corpus, 6 emotions and valence; batch 32, 30 epochs.

python tools/train.py configs/mer/mer2023_nano_synthetic.py

Media and features first: docs/plugins.md, which also has the scores. Not a published size: there is no published number.
"""

_base_ = [
    '../_base_/models/mer_features.py',
    '../_base_/datasets/synthetic_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

model = dict(
    encoders=dict(audio=dict(in_channels=96), text=dict(in_channels=96), video=dict(in_channels=96)),
    missing_streams='zero',
)
train_cfg = dict(max_epochs=30, val_interval=30)
default_hooks = dict(checkpoint=dict(interval=30))
work_dir = 'work_dirs/mer2023_nano_synthetic'
