"""ARNet on the voices of synthetic talking faces, 6 emotions, candidate labels; batch 32, 60 epochs.

python tools/train.py configs/partial_labels/arnet_nano_synthetic.py

Labels that all scores prefer join the candidates. Lists and statistics first: docs/systems/partial_labels.md. Not a published size: there is no
published number; the README of this folder has the measured ones.
"""

_base_ = [
    '../_base_/models/partial_labels_voice_nano.py',
    '../_base_/datasets/synthetic_voice_candidates.py',
    '../_base_/schedules/partial_labels_nano.py',
    '../_base_/default_runtime.py',
]

model = dict(
    head=dict(loss=dict(kind='SCE', sce_alpha=6.0)),
    contrast=dict(prototype_temperature=1.0),
    refinement=dict(type='CandidateCorrection', window=10, views=(0,)),
)
default_hooks = dict(checkpoint=dict(interval=60))
