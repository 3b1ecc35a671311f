"""MAFW, 43 compound emotions: folders of face frames and 16 kHz wav, the corpus's own 5 folds.

``tools/dataset_converters/mafw.py --task compound`` writes ``fold{1..5}/{train,test}.csv`` into ``data/mafw43`` (another
folder: ``MAFW43_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). Macro F1 and AUC are measured
beside UAR and WAR; the best epoch is chosen by UAR on the test fold.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='MAFW43', data_root='{{$MAFW43_ROOT:data/mafw43}}', ann_file='fold{{$FOLD:1}}/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='MAFW43', data_root='{{$MAFW43_ROOT:data/mafw43}}', ann_file='fold{{$FOLD:1}}/test.csv')
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassificationMetric', auc=True)
test_evaluator = val_evaluator
