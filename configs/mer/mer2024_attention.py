"""MERTools 2024, attention over three streams of features, 6 emotions and valence; batch 32, 100 epochs.

python tools/train.py configs/mer/mer2024_attention.py

Every MLP has three layers of 128, and dropout is in front of it. Width and recipe are searched at random by MERTools;
these are choices of this project. The published numbers are not on record here.
"""

_base_ = ['./mer2023_attention.py']

widths = (128, 128, 128)
mlp = dict(widths=widths, drop=0.0, input_drop=0.3)
model = dict(encoders=dict(audio=mlp, text=mlp, video=mlp), aggregator=mlp)
work_dir = 'work_dirs/mer2024_attention'
