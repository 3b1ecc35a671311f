"""MOSI, MOSEI and SIMS by their public features: text (BERT), sound and picture, sequences of three lengths.

``tools/dataset_converters/feature_pickles.py`` writes lists and features. The best epoch is chosen on the validation
set. To test with missing data: ``--cfg-options test_dataloader.dataset.pipeline.3.rate=0.5``.
"""

streams = ('text', 'audio', 'video')
load = [
    dict(type='LoadFeature', stream='text', source='features/text', level='frame'),
    dict(type='LoadFeature', stream='audio', source='features/audio', level='frame'),
    dict(type='LoadFeature', stream='video', source='features/video', level='frame'),
]
pack = dict(type='PackStreams', arrays=(), sequences=dict(text='text', audio='audio', video='video'))
train_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        ann_file='train.jsonl',
        task='regression',
        metainfo=dict(dimensions=('sentiment',)),
        streams=streams,
        pipeline=[*load, pack],
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
        type='AudioVisualDataset',
        ann_file='valid.jsonl',
        task='regression',
        metainfo=dict(dimensions=('sentiment',)),
        streams=streams,
        pipeline=[*load, dict(type='DropVectors', streams=streams, rate=0.0, keep_ends=('text',)), pack],
    ),
)
test_dataloader = dict(
    batch_size=32,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        ann_file='test.jsonl',
        task='regression',
        metainfo=dict(dimensions=('sentiment',)),
        streams=streams,
        pipeline=[*load, dict(type='DropVectors', streams=streams, rate=0.0, keep_ends=('text',)), pack],
    ),
)
val_evaluator = dict(type='RegressionMetric', sentiment='mosi')
test_evaluator = val_evaluator
