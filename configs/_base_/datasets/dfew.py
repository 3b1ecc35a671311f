"""DFEW, 7 emotions: folders of 224x224 face frames and the original clips' sound, the corpus's own 5 folds.

``tools/dataset_converters/dfew.py`` writes ``fold{1..5}/{train,test}.csv`` into ``data/dfew`` (another folder:
``DFEW_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). The best epoch is chosen on the test fold.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='DFEW', data_root='{{$DFEW_ROOT:data/dfew}}', ann_file='fold{{$FOLD:1}}/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='DFEW', data_root='{{$DFEW_ROOT:data/dfew}}', ann_file='fold{{$FOLD:1}}/test.csv')
)
test_dataloader = val_dataloader
