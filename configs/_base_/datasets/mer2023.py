"""MER2023 (MER-MULTI): 6 emotions and valence, folders of aligned face JPEGs and 16 kHz wav.

``tools/dataset_converters/mer2023.py`` writes ``fold1/{train,test}.csv`` (Train&Val set, MER-MULTI test set) into
``data/mer2023`` (another folder: ``MER2023_ROOT`` in the environment). The best epoch is chosen on the test set, by the
challenge's own measure.
"""

_base_ = './finetuning.py'

train_dataloader = dict(
    dataset=dict(type='MER2023', data_root='{{$MER2023_ROOT:data/mer2023}}', ann_file='fold1/train.csv')
)
val_dataloader = dict(
    dataset=dict(type='MER2023', data_root='{{$MER2023_ROOT:data/mer2023}}', ann_file='fold1/test.csv')
)
test_dataloader = val_dataloader

val_evaluator = dict(type='MERMultiMetric')
test_evaluator = val_evaluator
