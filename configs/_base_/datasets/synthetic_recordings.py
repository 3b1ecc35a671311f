"""Recordings of the synthetic corpus, with labels of every frame: 64x64 pictures (read as 32x32) at 12.5 a second, and sound.

Made by ``tools/dataset_converters/make_synthetic.py --recordings``; ``SYNTHETIC_ROOT`` in the environment names the
folder of the corpus (default ``data/synthetic``). Each recording joins the clips of one actor, whose emotion changes
every three seconds. ``train.csv`` and ``test.csv`` list windows. Validation watches the test actors, but chooses nothing:
the last epoch is the result.
"""

metainfo = dict(
    classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'),
    dimensions=('valence', 'arousal'),
    action_units=('AU1', 'AU4', 'AU6', 'AU9', 'AU12', 'AU15'),
)
targets = [
    dict(type='LoadFrameTargets', field='expression', ignore=-1),
    dict(type='LoadFrameTargets', field='valence_arousal', ignore=-5),
    dict(type='LoadFrameTargets', field='action_units', ignore=-1),
]
pack = dict(type='PackStreams', arrays=('video', 'audio'), meta_keys=('first_frame',))

# every second of 32 frames, and their 2.56 s of sound
train_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=0.3, nominal_fps=12.5),
    dict(type='SampleClips', mode='train', clip_len=16, frame_interval=2, audio_alignment='timestamps'),
    dict(type='DecodeFrames'),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.85, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    *targets,
    pack,
]
test_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=0.1, nominal_fps=12.5),
    dict(type='SampleClips', mode='test', clip_len=16, frame_interval=2, audio_alignment='timestamps'),
    dict(type='DecodeFrames'),
    dict(type='mmaction.Resize', scale=(32, 32), keep_ratio=False),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    *targets,
    pack,
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}/recordings',
        ann_file='train.csv',
        task='unlabelled',
        metainfo=metainfo,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}/recordings',
        ann_file='test.csv',
        task='unlabelled',
        metainfo=metainfo,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='FrameMetric', video_field='video_path', first_frame_field='first_frame')
test_evaluator = val_evaluator
