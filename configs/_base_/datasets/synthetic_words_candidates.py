"""Statistics of the voices of the synthetic corpus and what is said; candidates to train on, true classes to test on.

``tools/analysis_tools/plugins_table.py`` makes lists and statistics; ``SYNTHETIC_ROOT`` in the environment names the
folder of the corpus (default ``data/synthetic``). Clips may lack a stream. Other actors are tested; nothing is chosen on
them.
"""

streams = ('audio', 'text')
pipeline = [
    dict(type='LoadFeature', stream='audio', source='voice/voice', name_column='audio'),
    dict(type='Tokenize', vocabulary='words.txt'),
    dict(type='PackStreams', arrays=('audio',), sequences=dict(text='text_ids'), optional=True),
]
corpus = dict(
    type='AudioVisualDataset',
    data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
    metainfo=dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')),
    streams=streams,
    pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(corpus, ann_file='train_described_candidates.csv'),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(corpus, ann_file='test_described.csv'),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
