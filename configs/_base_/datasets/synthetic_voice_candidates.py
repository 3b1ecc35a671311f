"""Statistics of the voices of the synthetic corpus, 6 emotions; candidates to train on, true classes to test on.

``docs/systems/partial_labels.md`` has the two commands that make lists and statistics; ``SYNTHETIC_VOICE_ROOT`` in the
environment names their folder (default ``data/synthetic_voice``). Other actors are tested; nothing is chosen on them.
"""

pipeline = [
    dict(type='LoadFeature', stream='audio', source='voice'),
    dict(type='PackStreams', arrays=('audio',)),
]
metainfo = dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'))
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_VOICE_ROOT:data/synthetic_voice}}',
        ann_file='fold1/train_candidates.csv',
        metainfo=metainfo,
        streams=('audio',),
        pipeline=pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_VOICE_ROOT:data/synthetic_voice}}',
        ann_file='fold1/test.csv',
        metainfo=metainfo,
        streams=('audio',),
        pipeline=pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
