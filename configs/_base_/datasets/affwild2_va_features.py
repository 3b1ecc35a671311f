"""Valence and arousal of Aff-Wild2 by features: windows of 200 frames, and a row of features for each frame.

``tools/dataset_converters/affwild2.py`` writes the tables into ``data/affwild2`` (another folder: ``AFFWILD2_ROOT`` in
the environment). The features lie in ``va/features/{audio,text,video}`` below it, a ``RECORDING.npy`` for each video,
with a row for each frame of its media. The best epoch is chosen on the validation videos, as published.
"""

streams = ('audio', 'text', 'video')
pipeline = [
    dict(type='LoadFeature', stream='audio', source='features/audio', level='frame', name_column='recording'),
    dict(type='LoadFeature', stream='text', source='features/text', level='frame', name_column='recording'),
    dict(type='LoadFeature', stream='video', source='features/video', level='frame', name_column='recording'),
    dict(type='LoadFrameTargets', field='valence_arousal', ignore=-5),
    dict(type='CutWindow', sequences=streams, max_missing=4),
    dict(
        type='PackStreams',
        arrays=(),
        sequences=dict(audio='audio', text='text', video='video'),
        meta_keys=('first_frame', 'recording'),
    ),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AffWild2',
        data_root='{{$AFFWILD2_ROOT:data/affwild2}}/va',
        ann_file='train.csv',
        streams=streams,
        pipeline=pipeline,
        on_error='raise',
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AffWild2',
        data_root='{{$AFFWILD2_ROOT:data/affwild2}}/va',
        ann_file='validation.csv',
        streams=streams,
        pipeline=pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(
    type='FrameMetric',
    expression=None,
    action_units=None,
    video_field='recording',
    first_frame_field='first_frame',
    per_sequence=True,
)
test_evaluator = val_evaluator
