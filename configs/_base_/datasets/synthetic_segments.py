"""The synthetic corpus by frames spread over the whole clip, with its whole sound."""

_base_ = ['./synthetic.py']

train_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=1.0),
    dict(type='SampleSegments', mode='train', num_segments=16),
    dict(type='DecodeFrames'),
    dict(type='RandomResizedCropFlip', size=64, area_range=(0.85, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='SpecMasking', freq_mask=8, time_mask=32),
    dict(type='PackAudioVisual'),
]
test_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=0.3),
    dict(type='SampleSegments', mode='test', num_segments=16),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='SpatialViews', num_views=1, size=64),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
