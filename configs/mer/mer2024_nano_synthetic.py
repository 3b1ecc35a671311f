"""MERTools 2024 on features of the synthetic corpus, 6 emotions and valence; batch 32, 30 epochs.

python tools/train.py configs/mer/mer2024_nano_synthetic.py

Media and features first: docs/plugins.md, which also has the scores. Not a published size: there is no published number.
"""

_base_ = ['./mer2023_nano_synthetic.py']

mlp = dict(widths=(128, 128, 128), drop=0.0, input_drop=0.3)
model = dict(encoders=dict(audio=mlp, text=mlp, video=mlp), aggregator=mlp)
work_dir = 'work_dirs/mer2024_nano_synthetic'
