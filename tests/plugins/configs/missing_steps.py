"""Emotion of two sequences of features, of which steps may be missing."""

_base_ = './_base_.py'
custom_imports = dict(imports=['tests.plugins.missing_steps'], allow_failed_imports=False)

streams = ('face', 'voice')
data = dict(
    streams=streams,
    pipeline=[
        *(dict(type='LoadFeature', stream=name, source=f'{name}-FRA', level='frame') for name in streams),
        dict(type='PackStreams', arrays=(), sequences={name: name for name in streams}),
    ],
)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders={name: dict(type='StepEncoder', in_channels=6) for name in streams},
    fusion=dict(type='ConcatFusion', depth=1, num_heads=2),
    head=dict(type='ClassificationHead', num_classes=2),
    objectives=dict(view=dict(type='IncompleteView', widths=dict(face=6, voice=6))),
)
