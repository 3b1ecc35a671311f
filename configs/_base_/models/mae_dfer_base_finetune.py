"""MAE-DFER base, fine-tuning, 7 classes: LGI-Former 512 wide, 16 deep, 8 regions of (2, 5, 10) tokens, region tokens pooled."""

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
            type='LGIFormerEncoder',
            region=(2, 5, 10),
            embed_dims=512,
            depth=16,
            num_heads=8,
            drop_path_rate=0.1,
            final_norm=False,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
    ),
    aggregator=dict(type='RegionPoolAggregator', tokens='region'),
    head=dict(
        type='ClassificationHead',
        num_classes=7,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
