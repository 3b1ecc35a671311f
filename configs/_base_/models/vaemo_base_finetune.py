"""VAEmo, fine-tuning: the encoder of vaemo_base_pretrain.py, the mean token of each stream side by side, 6 classes.

Clips may lack one of the streams.
"""

encoder = dict(
    type='VisionTransformerEncoder', embed_dims=512, depth=12, num_heads=8, stream_embedding=True, drop_path_rate=0.1
)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            encoder,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            encoder,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=128, patch_size=16),
        ),
    ),
    tied={
        'encoders.audio.blocks': 'encoders.video.blocks',
        'encoders.audio.norm': 'encoders.video.norm',
    },
    missing_streams='zero',
    aggregator=dict(type='MeanPoolAggregator'),
    head=dict(
        type='ClassificationHead',
        num_classes=6,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
