"""MER2023 baseline, one MLP over three streams of features, 6 emotions and valence; batch 32, 100 epochs.

python tools/train.py configs/mer/mer2023_mlp.py

As mer2023_attention.py, but the features are joined first. The published numbers are not on record here.
"""

_base_ = ['./mer2023_attention.py']

model = dict(
    encoders=dict(audio=dict(widths=(), drop=0.0), text=dict(widths=(), drop=0.0), video=dict(widths=(), drop=0.0)),
    aggregator=dict(type='StreamMLPAggregator'),
)
work_dir = 'work_dirs/mer2023_mlp'
