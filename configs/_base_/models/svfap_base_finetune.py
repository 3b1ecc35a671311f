"""SVFAP base, fine-tuning, 7 classes: 512 wide, stages of 12, 6 and 3 blocks, 8 tokens per frame in the bottleneck."""

model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(
        type='AudioVisualDataPreprocessor',
        batch_augment=dict(
            type='MixupCutmix', num_classes=7, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5, streams=('video',)
        ),
    ),
    encoders=dict(
        video=dict(
            type='TPSBTEncoder',
            embed_dims=512,
            stage_depths=(12, 6, 3),
            num_heads=8,
            bottleneck_tokens=8,
            drop_path_rate=0.1,
            final_norm=False,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
    ),
    aggregator=dict(type='MeanPoolAggregator'),
    head=dict(
        type='ClassificationHead',
        num_classes=7,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
