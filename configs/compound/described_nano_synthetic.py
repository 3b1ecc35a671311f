"""A text classifier on descriptions of synthetic talking faces: what is said, and the action units; batch 32, 15 epochs.

python tools/train.py configs/compound/described_nano_synthetic.py

``DescribeClip`` puts both into words, and a small BERT learns from scratch; ``model.encoders.text`` may be one from a
local folder instead. ``make_synthetic.py --descriptions`` makes the tables. docs/plugins.md has the scores. Not a
published size: there is no published number.
"""

_base_ = ['../_base_/schedules/features.py', '../_base_/default_runtime.py']

units = dict(AU1='AU1', AU4='AU4', AU6='AU6', AU9='AU9', AU12='AU12', AU15='AU15')
pipeline = [
    dict(type='DescribeClip', transcript='text', action_units=units),
    dict(type='Tokenize', vocabulary='described_words.txt', field='description'),
    dict(type='PackStreams', arrays=(), sequences=dict(text='text_ids')),
]
corpus = dict(
    type='AudioVisualDataset',
    data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
    metainfo=dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')),
    streams=('text',),
    pipeline=pipeline,
)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(corpus, ann_file='train_described.csv'),
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

model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        text=dict(
            type='TransformersEncoder',
            config=dict(
                model_type='bert',
                vocab_size=161,
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=64,
            ),
        ),
    ),
    fusion=None,
    aggregator=dict(type='MeanPoolAggregator'),
    head=dict(type='ClassificationHead', num_classes=6, init_scale=1.0),
)
train_cfg = dict(max_epochs=15, val_interval=15)
default_hooks = dict(checkpoint=dict(interval=15))
