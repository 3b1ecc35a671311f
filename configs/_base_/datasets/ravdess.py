"""RAVDESS speech, 8 emotions: folders of face frames and 48 kHz wav, 6 folds by actor.

``tools/dataset_converters/ravdess.py`` writes ``fold{1..6}/{train,test}.csv`` into ``data/ravdess`` (another folder:
``RAVDESS_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). The best epoch is chosen on the test fold.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='RAVDESS', data_root='{{$RAVDESS_ROOT:data/ravdess}}', ann_file='fold{{$FOLD:1}}/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='RAVDESS', data_root='{{$RAVDESS_ROOT:data/ravdess}}', ann_file='fold{{$FOLD:1}}/test.csv')
)
test_dataloader = val_dataloader
