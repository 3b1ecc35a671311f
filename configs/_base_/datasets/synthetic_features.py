"""The synthetic corpus by features of whole clips, which a small model has extracted; emotion and valence.

``tools/analysis_tools/plugins_table.py`` makes media, tables and features. ``SYNTHETIC_ROOT`` in the environment is
another folder than ``data/synthetic``. Other actors are tested; nothing is chosen on them.
"""

streams = ('audio', 'text', 'video')
pack = dict(type='PackStreams', arrays=(), sequences=dict(audio='audio', text='text', video='video'), optional=True)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
        ann_file='train_described.csv',
        task='multitask',
        metainfo=dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'), dimensions=('valence',)),
        streams=streams,
        pipeline=[
            dict(type='LoadFeature', stream='audio', source='features/train', column='audio_layer3', level='frame'),
            dict(type='LoadFeature', stream='text', source='features/train', column='text_layer1', level='frame'),
            dict(type='LoadFeature', stream='video', source='features/train', column='video_layer3', level='frame'),
            pack,
        ],
        on_error='raise',
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(
        type='AudioVisualDataset',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
        ann_file='test_described.csv',
        task='multitask',
        metainfo=dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'), dimensions=('valence',)),
        streams=streams,
        pipeline=[
            dict(type='LoadFeature', stream='audio', source='features/test', column='audio_layer3', level='frame'),
            dict(type='LoadFeature', stream='text', source='features/test', column='text_layer1', level='frame'),
            dict(type='LoadFeature', stream='video', source='features/test', column='video_layer3', level='frame'),
            pack,
        ],
    ),
)
test_dataloader = val_dataloader

val_evaluator = dict(type='MERMultiMetric')
test_evaluator = val_evaluator
