"""S4D base for videos and images: VideoMAE's ViT-B, 8 experts in blocks 6 to 11, a head for either kind of clip.

The images' encoder and the norm of its head are the videos': an image is a clip of one time step.
"""

encoder = dict(
    type='ExpertViTEncoder',
    embed_dims=768,
    depth=12,
    num_heads=12,
    expert_layers=(6, 7, 8, 9, 10, 11),
    num_experts=8,
    top_k=2,
    capacity_factor=1.0,
    drop_path_rate=0.1,
    final_norm=False,
    patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
)
loss = dict(type='SoftCrossEntropyLoss', label_smoothing=0.1)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=encoder,
        image=dict(
            encoder,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=2, patch_size=16, tubelet_size=2),
        ),
    ),
    tied={
        'encoders.image.patch_embed.proj': 'encoders.video.patch_embed.proj',
        'encoders.image.blocks': 'encoders.video.blocks',
        'head.heads.image.norm': 'head.heads.video.norm',
    },
    missing_streams='zero',
    aggregator=dict(type='MeanPoolAggregator', adds_streams=True),
    head=dict(
        type='MultiTaskHead',
        heads=dict(
            video=dict(type='ClassificationHead', num_classes=7, ignore=-1, loss=loss),
            image=dict(type='ClassificationHead', num_classes=7, ignore=-1, target='expression', loss=loss),
        ),
    ),
    objectives=dict(balance=dict(type='ExpertBalance', loss_weight=1e-3)),
)
