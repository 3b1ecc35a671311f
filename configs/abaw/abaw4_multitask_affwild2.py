"""ABAW4, expression, valence and arousal, and action units of every frame of Aff-Wild2; batch 32, 50 epochs.

python tools/train.py configs/abaw/abaw4_multitask_affwild2.py

A transformer over windows of frames for each of two feature streams, and three tasks. The weights of the losses are
those of the AIM3-RUC entry: 12 for valence and for arousal (MSE), 1 for action units, 0.35 for expressions. (The entry
divides the squared errors by all frames; here they are divided by those that count.) Sizes, recipe and lengths of the
features are choices of this project. The measure is mean CCC + macro F1 of expressions + mean F1 of units.

No published number of this form is on record here.
"""

_base_ = ['./abaw6_expr_affwild2.py']

streams = ('audio', 'video')
pipeline = [
    dict(type='LoadFeature', stream='audio', source='features/audio', level='frame', name_column='recording'),
    dict(type='LoadFeature', stream='video', source='features/video', level='frame', name_column='recording'),
    dict(type='LoadFrameTargets', field='expression', ignore=-1),
    dict(type='LoadFrameTargets', field='valence_arousal', ignore=-5),
    dict(type='LoadFrameTargets', field='action_units', ignore=-1),
    dict(type='CutWindow', sequences=streams, max_missing=4),
    dict(
        type='PackStreams',
        arrays=(),
        sequences=dict(audio='audio', video='video'),
        meta_keys=('first_frame', 'recording'),
    ),
]
multitask = dict(data_root='{{$AFFWILD2_ROOT:data/affwild2}}/mtl', pipeline=pipeline)
train_dataloader = dict(dataset=multitask)
val_dataloader = dict(dataset=multitask)
test_dataloader = dict(dataset=multitask)
val_evaluator = dict(values='valence_arousal', action_units='action_units')
test_evaluator = val_evaluator

frames = dict(level='frame', init_scale=1.0)
model = dict(
    head=dict(
        _delete_=True,
        type='MultiTaskHead',
        loss_weights=dict(expression=0.35, valence_arousal=24.0, action_units=1.0),
        heads=dict(
            expression=dict(type='ClassificationHead', num_classes=8, target='expression', ignore=-1, **frames),
            valence_arousal=dict(type='RegressionHead', num_outputs=2, target='valence_arousal', ignore=-5, **frames),
            action_units=dict(type='MultiLabelHead', num_labels=12, target='action_units', ignore=-1, **frames),
        ),
    ),
)
default_hooks = dict(checkpoint=dict(save_best='multitask', rule='greater'))
work_dir = 'work_dirs/abaw4_multitask_affwild2'
