"""CREMA-D, 6 emotions: folders of aligned 256x256 face JPEGs and 16 kHz wav, 5 folds by actor.

``tools/dataset_converters/cremad.py`` writes ``fold{1..5}/{train,test}.csv`` into ``data/cremad`` (another folder:
``CREMAD_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). The best epoch is chosen on the test fold,
as published.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='CREMAD', data_root='{{$CREMAD_ROOT:data/cremad}}', ann_file='fold{{$FOLD:1}}/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='CREMAD', data_root='{{$CREMAD_ROOT:data/cremad}}', ann_file='fold{{$FOLD:1}}/test.csv')
)
test_dataloader = val_dataloader
