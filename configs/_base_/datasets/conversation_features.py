"""Conversations by features of their utterances: a vector of words, sound and picture each.

The features are in ``features/text``, ``features/audio`` and ``features/video`` below ``data_root``: folders that
``tools/extract_features.py`` wrote, or ``CLIP.npy`` per utterance. The tables need the columns ``dialogue`` and
``turn``, as the converters write them.
"""

streams = ('text', 'audio', 'video')
pipeline = [
    dict(type='LoadFeature', stream='text', source='features/text'),
    dict(type='LoadFeature', stream='audio', source='features/audio'),
    dict(type='LoadFeature', stream='video', source='features/video'),
    dict(type='PackStreams', arrays=streams),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    batch_sampler=dict(type='ConversationBatchSampler'),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='train.csv', streams=streams, pipeline=pipeline),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='ConversationBatchSampler'),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='dev.csv', streams=streams, pipeline=pipeline),
)
test_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    batch_sampler=dict(type='ConversationBatchSampler'),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='test.csv', streams=streams, pipeline=pipeline),
)
val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
