"""MER2023 baseline, attention over three streams of features, 6 emotions and valence; batch 32, 100 epochs.

python tools/train.py configs/mer/mer2023_attention.py

The features are vectors of whole clips: 1024 numbers for sound (such as Chinese HuBERT large), 1024 for words (such as
Chinese MacBERT large) and 768 for the picture (such as CLIP ViT-L/14). Other lengths:
``--cfg-options model.encoders.text.in_channels=768``. Widths, weights of the losses and the form of the fusion are
published; dropout, learning rate and epochs are choices of this project.

The published numbers for this choice of features are not on record here.
"""

_base_ = [
    '../_base_/models/mer_features.py',
    '../_base_/datasets/mer2023_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(save_best='MER'))
work_dir = 'work_dirs/mer2023_attention'
