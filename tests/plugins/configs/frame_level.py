"""Expression, valence and arousal, and action units of every frame; frames without a label do not count."""

_base_ = './_base_.py'
custom_imports = dict(imports=['tests.plugins.frame_level'], allow_failed_imports=False)

data = dict(
    streams=('face',),
    task='unlabelled',
    pipeline=[
        dict(type='LoadFeature', stream='face', source='face-FRA', level='frame'),
        dict(type='LoadFrameTargets', field='expression', ignore=-1),
        dict(type='LoadFrameTargets', field='valence_arousal', ignore=-5),
        dict(type='LoadFrameTargets', field='action_units', ignore=-1),
        dict(type='PackStreams', arrays=(), sequences=dict(face='face')),
    ],
)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='FrameAccuracy')
test_evaluator = val_evaluator

frames = dict(level='frame')
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(face=dict(type='RecurrentEncoder', in_channels=6)),
    aggregator=dict(type='FrameTokens'),
    head=dict(
        type='MultiTaskHead',
        heads=dict(
            expression=dict(type='ClassificationHead', num_classes=3, target='expression', ignore=-1, **frames),
            mood=dict(type='RegressionHead', num_outputs=2, target='valence_arousal', ignore=-5, **frames),
            units=dict(type='MultiLabelHead', num_labels=2, target='action_units', ignore=-1, **frames),
        ),
    ),
)
