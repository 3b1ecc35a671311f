"""Emotion from features of clips, half of which have several candidate labels."""

_base_ = './_base_.py'
custom_imports = dict(imports=['tests.plugins.candidate_labels'], allow_failed_imports=False)

data = dict(
    streams=('hubert',),
    pipeline=[
        dict(type='LoadFeature', stream='hubert', source='hubert-UTT'),
        dict(type='PackStreams', arrays=('hubert',)),
    ],
)
train_dataloader = dict(dataset=dict(ann_file='candidates.csv', **data))
val_dataloader = dict(dataset=data)
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=8)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(hubert=dict(type='FeatureMLPEncoder', in_channels=6, widths=(16,))),
    aggregator=dict(type='MeanPoolAggregator'),
    head=dict(type='CandidateHead', num_classes=2),
)
