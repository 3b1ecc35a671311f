"""Emotion of waveforms of any length."""

_base_ = './_base_.py'
custom_imports = dict(imports=['tests.plugins.waveform'], allow_failed_imports=False)

pipeline = [dict(type='WholeTrack'), dict(type='PackStreams', arrays=(), sequences=dict(audio='waveform'))]
train_dataloader = dict(dataset=dict(streams=('audio',), pipeline=pipeline))
val_dataloader = dict(dataset=dict(streams=('audio',), pipeline=pipeline))
test_dataloader = val_dataloader
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(audio=dict(type='WaveformEncoder')),
    head=dict(type='ClassificationHead', num_classes=2),
)
