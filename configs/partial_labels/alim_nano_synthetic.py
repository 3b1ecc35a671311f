"""ALIM on the voices of synthetic talking faces, 6 emotions, candidate labels; batch 32, 60 epochs.

python tools/train.py configs/partial_labels/alim_nano_synthetic.py

Labels outside of the candidates count by an importance. Lists and statistics first: docs/systems/partial_labels.md. Not a published size: there is no
published number; the README of this folder has the measured ones.
"""

_base_ = [
    '../_base_/models/partial_labels_voice_nano.py',
    '../_base_/datasets/synthetic_voice_candidates.py',
    '../_base_/schedules/partial_labels_nano.py',
    '../_base_/default_runtime.py',
]

model = dict(refinement=dict(type='LabelImportance', noise_rate=0.3, importance_from=10))
default_hooks = dict(checkpoint=dict(interval=60))
