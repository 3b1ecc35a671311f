"""MER2023 (MER-MULTI) by features: a folder of ``CLIP.npy`` for sound, words and picture each, a vector or a sequence.

The lists are those of ``tools/dataset_converters/mer2023.py`` in ``data/mer2023`` (another folder: ``MER2023_ROOT`` in
the environment). The features lie below it, in ``features/audio``, ``features/text`` and ``features/video``, as MERTools
or ``tools/extract_features.py --layout per-clip`` write them. The best epoch is chosen on the test set, by the
challenge's own measure.
"""

streams = ('audio', 'text', 'video')
pipeline = [
    dict(type='LoadFeature', stream='audio', source='features/audio', level='frame'),
    dict(type='LoadFeature', stream='text', source='features/text', level='frame'),
    dict(type='LoadFeature', stream='video', source='features/video', level='frame'),
    dict(type='PackStreams', arrays=(), sequences=dict(audio='audio', text='text', video='video')),
]
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='MER2023',
        data_root='{{$MER2023_ROOT:data/mer2023}}',
        ann_file='fold1/train.csv',
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
        type='MER2023',
        data_root='{{$MER2023_ROOT:data/mer2023}}',
        ann_file='fold1/test.csv',
        streams=streams,
        pipeline=pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='MERMultiMetric')
test_evaluator = val_evaluator
