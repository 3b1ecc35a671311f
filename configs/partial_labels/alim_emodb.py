"""ALIM on the voices of EmoDB, 7 emotions, candidate labels, 10 folds by speaker; batch 32, 60 epochs.

python tools/kfold.py configs/partial_labels/alim_emodb.py --folds 1-10

Labels outside of the candidates count by an importance. docs/systems/partial_labels.md has the commands that
make lists, statistics and candidates, and the README of this folder the scores. There is no published number.
"""

_base_ = [
    '../_base_/models/partial_labels_voice_nano.py',
    '../_base_/datasets/emodb.py',
    '../_base_/schedules/partial_labels_nano.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(drop_last=True, dataset=dict(ann_file='fold{{$FOLD:1}}/train_candidates.csv'))
model = dict(
    head=dict(num_classes=7),
    refinement=dict(type='LabelImportance', noise_rate=0.3, importance_from=10),
)
default_hooks = dict(checkpoint=dict(interval=60))
work_dir = 'work_dirs/alim_emodb/fold{{$FOLD:1}}'
