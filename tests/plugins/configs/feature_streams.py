"""Emotion and valence of three extracted features."""

_base_ = './_base_.py'
custom_imports = dict(imports=['tests.plugins.feature_streams'], allow_failed_imports=False)

streams = ('hubert', 'clip', 'bert')
data = dict(
    streams=streams,
    task='multitask',
    metainfo=dict(dimensions=('valence',)),
    pipeline=[
        *(dict(type='LoadFeature', stream=name, source=f'{name}-UTT') for name in streams),
        dict(type='PackStreams', arrays=streams),
    ],
)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
val_evaluator = [dict(type='ClassificationMetric'), dict(type='RegressionMetric')]
test_evaluator = val_evaluator
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders={name: dict(type='VectorEncoder', in_channels=6) for name in streams},
    aggregator=dict(type='VectorAttention'),
    head=dict(
        type='MultiTaskHead',
        heads=dict(
            emotion=dict(type='ClassificationHead', num_classes=2),
            valence=dict(type='RegressionHead', num_outputs=1),
        ),
    ),
)
