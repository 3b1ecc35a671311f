"""Text, sound and picture of the clips of a table: words of the column ``text``, up to 10 s of sound, 8 frames.

TOKENIZER_FILE in the environment is the ``tokenizer.json`` of the text model, an absolute path or below ``data_root``.
The tables are those of the converters with ``--table``.
"""

streams = ('text', 'audio', 'video')
read = [
    dict(type='Tokenize', vocabulary='{{$TOKENIZER_FILE:tokenizer.json}}', max_length=128),
    dict(type='OpenVideo'),
    dict(type='SampleSegments', mode='test', num_segments=8),
    dict(type='DecodeFrames'),
    dict(type='mmaction.Resize', scale=(224, 224), keep_ratio=False),
    dict(type='WholeTrack', sample_rate_hz=16000, max_seconds=10),
]
pipeline = [*read, dict(type='PackStreams', arrays=('video',), sequences=dict(text='text_ids', audio='waveform'))]
train_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='train.csv', streams=streams, pipeline=pipeline, on_error='skip'),
)
val_dataloader = dict(
    batch_size=16,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='test.csv', streams=streams, pipeline=pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator
