"""HiCMAE small, pre-training: 384 wide, 10 + 10 encoder layers, 2 fusion layers, decoders 192 wide and 4 deep."""

model = dict(
    type='AudioVisualPretrainer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='VisionTransformerEncoder',
            embed_dims=384,
            depth=10,
            num_heads=6,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            type='VisionTransformerEncoder',
            embed_dims=384,
            depth=10,
            num_heads=6,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=128, patch_size=16),
        ),
    ),
    fusion=dict(type='CrossModalFusion', depth=2, num_heads=6),
    skip_layers=(3, 6, 9),
    decoders=dict(
        video=dict(type='HierarchicalDecoder', embed_dims=192, depth=4, num_heads=3),
        audio=dict(type='HierarchicalDecoder', embed_dims=192, depth=4, num_heads=3),
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
