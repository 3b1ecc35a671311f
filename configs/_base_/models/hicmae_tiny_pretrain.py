"""HiCMAE tiny, pre-training: 256 wide, 10 + 10 encoder layers, 2 fusion layers, decoders 128 wide and 4 deep.

The published code has no tiny decoder; this one keeps the ratios of the others.
"""

model = dict(
    type='AudioVisualPretrainer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='VisionTransformerEncoder',
            embed_dims=256,
            depth=10,
            num_heads=4,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            type='VisionTransformerEncoder',
            embed_dims=256,
            depth=10,
            num_heads=4,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=128, patch_size=16),
        ),
    ),
    fusion=dict(type='CrossModalFusion', depth=2, num_heads=4),
    skip_layers=(3, 6, 9),
    decoders=dict(
        video=dict(type='HierarchicalDecoder', embed_dims=128, depth=4, num_heads=2),
        audio=dict(type='HierarchicalDecoder', embed_dims=128, depth=4, num_heads=2),
    ),
    heads=dict(
        video=dict(
            type='ReconstructionHead',
            target=dict(type='VideoPatchTarget', normalize=True, frame_difference=True),
            loss=dict(type='MaskedMSELoss'),
        ),
        audio=dict(
            type='ReconstructionHead',
            target=dict(type='SpectrogramPatchTarget', normalize=True),
            loss=dict(type='MaskedMSELoss'),
        ),
    ),
    contrastive=dict(
        type='HierarchicalContrastiveHead',
        layers=(3, 6, 9),
        loss=dict(type='InfoNCELoss', temperature=0.07, gather=False, loss_weight=0.0025),
    ),
)
