"""The baseline of ARNet and ALIM: every candidate counts as much as the others; batch 32, 60 epochs.

python tools/train.py configs/partial_labels/equal_nano_synthetic.py

Nothing is refined, and nothing contrasted. Lists and statistics first: docs/systems/partial_labels.md. Not a published size: there is no
published number; the README of this folder has the measured ones.
"""

_base_ = [
    '../_base_/models/partial_labels_voice_nano.py',
    '../_base_/datasets/synthetic_voice_candidates.py',
    '../_base_/schedules/partial_labels_nano.py',
    '../_base_/default_runtime.py',
]

model = dict(refinement=None, contrast=None)
default_hooks = dict(checkpoint=dict(interval=60))
