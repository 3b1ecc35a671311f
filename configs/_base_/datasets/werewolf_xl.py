"""Werewolf-XL, 3 dimensions: folders of aligned face JPEGs and 16 kHz wav, 5 folds by group of players.

``tools/dataset_converters/werewolf_xl.py`` writes ``fold{1..5}/{train,test}.csv`` into ``data/werewolf_xl`` (another
folder: ``WEREWOLF_XL_ROOT`` in the environment). ``FOLD=3`` chooses the fold (default 1). Every third frame is taken, and
the best epoch is chosen on the test fold, as published.
"""

_base_ = './finetuning.py'

# this corpus is sampled at every third frame
train_pipeline = [dict(t, frame_interval=3) if t['type'] == 'SampleClips' else t for t in _base_.train_pipeline]
test_pipeline = [dict(t, frame_interval=3) if t['type'] == 'SampleClips' else t for t in _base_.test_pipeline]
train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        type='WerewolfXL',
        data_root='{{$WEREWOLF_XL_ROOT:data/werewolf_xl}}',
        ann_file='fold{{$FOLD:1}}/train.csv',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    dataset=dict(
        type='WerewolfXL',
        data_root='{{$WEREWOLF_XL_ROOT:data/werewolf_xl}}',
        ann_file='fold{{$FOLD:1}}/test.csv',
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader

val_evaluator = dict(type='RegressionMetric')
test_evaluator = val_evaluator
