"""ChaLearn First Impressions V2, 5 traits of personality in 0 to 1: one clip of 15 s per line, the challenge's own split.

``train.csv``, ``val.csv`` and ``test.csv`` in ``data/first_impressions`` (another folder: ``FIRST_IMPRESSIONS_ROOT`` in
the environment) list ``video extraversion neuroticism agreeableness conscientiousness openness`` per line. There is no
converter for this corpus: docs/systems/svfap.md says how to write the lists.
"""

_base_ = './finetuning.py'

metainfo = dict(
    name='First Impressions V2',
    dimensions=('extraversion', 'neuroticism', 'agreeableness', 'conscientiousness', 'openness'),
)
corpus = dict(
    type='AudioVisualDataset',
    task='regression',
    data_root='{{$FIRST_IMPRESSIONS_ROOT:data/first_impressions}}',
    metainfo=metainfo,
    streams=('video',),
)
train_dataloader = dict(dataset=dict(ann_file='train.csv', **corpus))
val_dataloader = dict(dataset=dict(ann_file='val.csv', **corpus))
test_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(ann_file='test.csv', pipeline={{_base_.test_pipeline}}, **corpus),
)

val_evaluator = dict(type='RegressionMetric')
test_evaluator = val_evaluator
