"""Recordings of the synthetic corpus by features: windows of frames, and a row of features for each frame.

``make_synthetic.py --recordings`` makes the tables, and ``tools/extract_frame_features.py`` the features, in
``recordings/features/{audio,video}``. ``SYNTHETIC_ROOT`` in the environment names the folder of the corpus (default
``data/synthetic``). Validation watches the test actors, but chooses nothing: the last epoch is the result.
"""

streams = ('audio', 'video')
pipeline = [
    dict(type='LoadFeature', stream='audio', source='features/audio', level='frame', name_column='recording'),
    dict(type='LoadFeature', stream='video', source='features/video', level='frame', name_column='recording'),
    dict(type='LoadFrameTargets', field='expression', ignore=-1),
    dict(type='LoadFrameTargets', field='valence_arousal', ignore=-5),
    dict(type='CutWindow', sequences=streams),
    dict(
        type='PackStreams',
        arrays=(),
        sequences=dict(audio='audio', video='video'),
        meta_keys=('first_frame', 'recording'),
        optional=True,
    ),
]
corpus = dict(
    type='AudioVisualDataset',
    data_root='{{$SYNTHETIC_ROOT:data/synthetic}}/recordings',
    task='unlabelled',
    metainfo=dict(
        classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'),
        dimensions=('valence', 'arousal'),
    ),
    streams=streams,
    pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=16,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(corpus, ann_file='train.csv'),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(corpus, ann_file='test.csv'),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='FrameMetric', action_units=None, video_field='recording', first_frame_field='first_frame')
test_evaluator = val_evaluator
