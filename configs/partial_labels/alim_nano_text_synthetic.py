"""ALIM on voices and words of synthetic talking faces, 6 emotions, candidate labels; batch 32, 60 epochs.

python tools/train.py configs/partial_labels/alim_nano_text_synthetic.py

Labels outside of the candidates count by an importance. docs/plugins.md has the commands that make lists and
statistics, and the scores. Not a published size: there is no published number.
"""

_base_ = [
    '../_base_/models/partial_labels_words_nano.py',
    '../_base_/datasets/synthetic_words_candidates.py',
    '../_base_/schedules/partial_labels_nano.py',
    '../_base_/default_runtime.py',
]

model = dict(refinement=dict(type='LabelImportance', noise_rate=0.3, importance_from=10))
default_hooks = dict(checkpoint=dict(interval=60))
