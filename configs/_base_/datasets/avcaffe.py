"""AVCAffe, arousal or valence in 5 classes: folders of face frames and the clips' sound, the corpus's own split.

``tools/dataset_converters/avcaffe.py`` writes ``fold1/{train,test}.csv`` into ``data/avcaffe`` (another folder:
``AVCAFFE_ROOT`` in the environment). ``AVCAFFE_TARGET=valence`` chooses what is predicted (default ``arousal``). The
scores of a recording's clips are averaged and measured once; the best epoch is chosen on the test part.
"""

target = '{{$AVCAFFE_TARGET:arousal}}'
if target not in ('arousal', 'valence'):
    raise ValueError(f"AVCAFFE_TARGET must be 'arousal' or 'valence', got {target!r}")
kind = dict(arousal='AVCAFFEArousal', valence='AVCAFFEValence')[target]
label_columns = dict(arousal=(0,), valence=(1,))[target]

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
    dataset=dict(
        type=kind,
        data_root='{{$AVCAFFE_ROOT:data/avcaffe}}',
        ann_file='fold1/train.csv',
        label_columns=label_columns,
        on_error='skip',
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        type=kind,
        data_root='{{$AVCAFFE_ROOT:data/avcaffe}}',
        ann_file='fold1/test.csv',
        label_columns=label_columns,
        pipeline=test_pipeline,
    ),
)
test_dataloader = val_dataloader

# aiim001/task_1/aiim001_task_1_clip_012 belongs to aiim001_task_1; a clip of another name is a recording of its own
val_evaluator = dict(type='ClassificationMetric', group_pattern=r'(aiim\d+_task_\d+|[^/]+$)')
test_evaluator = val_evaluator
