"""MMA-DFER: MAE-Face's ViT-B/16 per frame and AudioMAE's on 5.12 s of sound, both frozen, with a gated exchange.

Positions, prompts, the exchange and everything behind the encoders are trained. Pixels are in 0..1, as published.
"""

encoder = dict(
    type='PromptedViTEncoder', embed_dims=768, depth=12, num_heads=12, mlp_ratio=4.0, num_prompts=3, prompt_interval=6
)
model = dict(
    type='ExchangeRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor', mean=(0.0, 0.0, 0.0), std=(255.0, 255.0, 255.0)),
    encoders=dict(
        video=dict(encoder, patch_embed=dict(type='ImageEmbed', image_size=224)),
        audio=dict(encoder, patch_embed=dict(type='SpectrogramEmbed', num_frames=512, num_mel_bins=128)),
    ),
    exchange=dict(type='GatedExchange', bottleneck=128),
    aggregator=dict(
        type='TemporalTransformerAggregator',
        num_frames=16,
        out_channels=512,
        depth=1,
        num_heads=8,
        head_dims=64,
        mlp_dims=1024,
    ),
    head=dict(type='ClassificationHead', num_classes=7, norm=False, loss=dict(type='SoftCrossEntropyLoss')),
    frozen=[
        'encoders.video.patch_embed',
        'encoders.video.cls_token',
        'encoders.video.blocks',
        'encoders.video.norm',
        'encoders.audio.patch_embed',
        'encoders.audio.cls_token',
        'encoders.audio.blocks',
        'encoders.audio.norm',
    ],
)
