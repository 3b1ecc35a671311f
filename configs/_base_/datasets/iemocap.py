"""IEMOCAP, 4 emotions: folders of aligned face JPEGs and 16 kHz wav, 5 folds by session.

``tools/dataset_converters/iemocap.py`` writes ``fold{1..5}/{train,test}.csv`` into ``data/iemocap`` (another folder:
``IEMOCAP_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). The best epoch is chosen on the test fold,
as published.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='IEMOCAP', data_root='{{$IEMOCAP_ROOT:data/iemocap}}', ann_file='fold{{$FOLD:1}}/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='IEMOCAP', data_root='{{$IEMOCAP_ROOT:data/iemocap}}', ann_file='fold{{$FOLD:1}}/test.csv')
)
test_dataloader = val_dataloader
