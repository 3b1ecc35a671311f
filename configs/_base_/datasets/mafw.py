"""MAFW, 11 emotions: folders of face frames and 16 kHz wav, the corpus's own 5 folds.

``tools/dataset_converters/mafw.py`` writes ``fold{1..5}/{train,test}.csv`` into ``data/mafw`` (another folder:
``MAFW_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). The best epoch is chosen on the test fold,
as published.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='MAFW', data_root='{{$MAFW_ROOT:data/mafw}}', ann_file='fold{{$FOLD:1}}/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='MAFW', data_root='{{$MAFW_ROOT:data/mafw}}', ann_file='fold{{$FOLD:1}}/test.csv')
)
test_dataloader = val_dataloader
