"""EmoDB by statistics of the voice, 7 emotions, 10 folds by speaker.

Made by ``tools/dataset_converters/speech.py``; ``EMODB_ROOT`` in the environment names its folder (default
``data/emodb``). FOLD=1 to 10 chooses the tested speaker (default 1). The last epoch is the result; nothing is chosen on
the test speaker.
"""

pipeline = [
    dict(type='LoadFeature', stream='audio', source='voice'),
    dict(type='PackStreams', arrays=('audio',)),
]
metainfo = dict(classes=('anger', 'boredom', 'disgust', 'fear', 'happiness', 'neutral', 'sadness'))
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$EMODB_ROOT:data/emodb}}',
        ann_file='fold{{$FOLD:1}}/train.csv',
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
        data_root='{{$EMODB_ROOT:data/emodb}}',
        ann_file='fold{{$FOLD:1}}/test.csv',
        metainfo=metainfo,
        streams=('audio',),
        pipeline=pipeline,
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
