"""What every fine-tuning corpus shares: both pipelines, the loaders and the metric of a classification task.

A corpus inherits from this file and adds its class, its folder and its lists. A clip is 16 frames of 160x160 pixels, every
4th of the video, and 2.56 s of 16 kHz sound in 128 mel bins. Testing averages 2 clips with 2 crops each.
"""

train_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='train', clip_len=16, frame_interval=4),
    dict(type='DecodeFrames'),
    dict(type='ClipRandAugment', policy='rand-m7-n4-mstd0.5-inc1', interpolation='bilinear', is_fused=True),
    dict(type='RandomResizedCropFlip', size=160, area_range=(0.08, 1.0), aspect_ratio_range=(3 / 4, 4 / 3)),
    dict(type='ClipRandomErasing', prob=0.25),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=128, target_length=256),
    dict(type='PackAudioVisual'),
]
test_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='test', clip_len=16, frame_interval=4, num_clips=2),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=128, target_length=256),
    dict(type='SpatialViews', num_views=2, size=160),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(
    batch_size=14,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(on_error='skip', pipeline=train_pipeline),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(pipeline=test_pipeline),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
