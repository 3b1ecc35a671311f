"""The synthetic corpus, 6 emotions: 96x96 mp4 and 16 kHz wav, split by actor.

Made by ``tools/dataset_converters/make_synthetic.py``; ``SYNTHETIC_ROOT`` in the environment names its folder (default
``data/synthetic``). ``train.csv`` and ``test.csv`` list ``video audio label`` per line. Validation watches the test
actors, but chooses nothing: the last epoch is the result.
"""

metainfo = dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'))

train_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=1.0),
    dict(type='SampleClips', mode='train', clip_len=8, frame_interval=8),
    dict(type='DecodeFrames'),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.85, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='SpecMasking', freq_mask=8, time_mask=32),
    dict(type='PackAudioVisual'),
]
test_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=0.3),
    dict(type='SampleClips', mode='test', clip_len=8, frame_interval=8, num_clips=2),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='SpatialViews', num_views=2, size=64),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
        ann_file='train.csv',
        metainfo=metainfo,
        on_error='skip',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
        ann_file='test.csv',
        metainfo=metainfo,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
