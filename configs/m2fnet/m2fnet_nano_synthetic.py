"""M2FNet nano on the synthetic corpus, 6 emotions of utterances in conversations; 8 conversations per batch, 40 epochs.

python tools/train.py configs/m2fnet/m2fnet_nano_synthetic.py

Sound and picture by features of a fine-tuned hicmae_nano_synthetic.py, words by a small transformer that learns along.
README.md of this folder has the commands and the scores. There is no published number.
"""

_base_ = [
    '../_base_/models/m2fnet.py',
    '../_base_/datasets/conversation_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

model = dict(
    encoders=dict(
        text=dict(
            _delete_=True,
            type='TransformersEncoder',
            config=dict(
                model_type='bert',
                vocab_size=48,
                hidden_size=64,
                intermediate_size=128,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=32,
            ),
        ),
        audio=dict(in_channels=96),
        video=dict(in_channels=96),
    ),
    num_speakers=2,
    missing_streams='zero',
    fusion=dict(embed_dims=64, context_depth=1, depth=2),
    head=dict(num_classes=6),
)
words = dict(type='Tokenize', vocabulary='words.txt')
pack = dict(type='PackStreams', arrays=('audio', 'video'), sequences=dict(text='text_ids'), optional=True)
train_pipeline = [
    words,
    dict(type='LoadFeature', stream='audio', source='features/train', column='audio_layer3'),
    dict(type='LoadFeature', stream='video', source='features/train', column='video_layer3'),
    pack,
]
test_pipeline = [
    words,
    dict(type='LoadFeature', stream='audio', source='features/test', column='audio_layer3'),
    dict(type='LoadFeature', stream='video', source='features/test', column='video_layer3'),
    pack,
]
synthetic = dict(
    data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
    metainfo=dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')),
)
loader = dict(batch_size=8, num_workers=2)
train_dataloader = dict(loader, dataset=dict(synthetic, ann_file='train_talks.csv', pipeline=train_pipeline))
val_dataloader = dict(loader, dataset=dict(synthetic, ann_file='test_talks.csv', pipeline=test_pipeline))
test_dataloader = dict(loader, dataset=dict(synthetic, ann_file='test_talks.csv', pipeline=test_pipeline))
train_cfg = dict(max_epochs=40, val_interval=10)
work_dir = 'work_dirs/m2fnet_nano_synthetic'
