"""A HiCMAE for two CPU cores, fine-tuning: 96 wide, 4 + 4 encoder layers, 1 fusion layer, 6 classes.

Not a published size. 8 frames of 64x64 and 64 mel bins: 64 video tokens and 64 audio tokens.
"""

model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='VisionTransformerEncoder',
            embed_dims=96,
            depth=4,
            num_heads=3,
            drop_path_rate=0.1,
            patch_embed=dict(type='TubeletEmbed', image_size=64, num_frames=8, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            type='VisionTransformerEncoder',
            embed_dims=96,
            depth=4,
            num_heads=3,
            drop_path_rate=0.1,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=64, patch_size=16),
        ),
    ),
    fusion=dict(type='CrossModalFusion', depth=1, num_heads=3, drop_path_rate=0.1),
    aggregator=dict(type='HierarchicalFeatureAggregator'),
    head=dict(
        type='ClassificationHead',
        num_classes=6,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
