"""HiCMAE small, fine-tuning: 384 wide, 10 + 10 encoder layers, 2 fusion layers, drop path 0.1, 6 classes."""

model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='VisionTransformerEncoder',
            embed_dims=384,
            depth=10,
            num_heads=6,
            drop_path_rate=0.1,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            type='VisionTransformerEncoder',
            embed_dims=384,
            depth=10,
            num_heads=6,
            drop_path_rate=0.1,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=128, patch_size=16),
        ),
    ),
    fusion=dict(type='CrossModalFusion', depth=2, num_heads=6, drop_path_rate=0.1),
    aggregator=dict(type='HierarchicalFeatureAggregator'),
    head=dict(
        type='ClassificationHead',
        num_classes=6,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
