"""A HiCMAE for two CPU cores, pre-training: 96 wide, 4 + 4 encoder layers, 1 fusion layer, decoders 64 wide and 3 deep.

Not a published size. 8 frames of 64x64 and 64 mel bins: 64 video tokens and 64 audio tokens.
"""

model = dict(
    type='AudioVisualPretrainer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='VisionTransformerEncoder',
            embed_dims=96,
            depth=4,
            num_heads=3,
            patch_embed=dict(type='TubeletEmbed', image_size=64, num_frames=8, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            type='VisionTransformerEncoder',
            embed_dims=96,
            depth=4,
            num_heads=3,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=64, patch_size=16),
        ),
    ),
    fusion=dict(type='CrossModalFusion', depth=1, num_heads=3),
    skip_layers=(1, 3),
    decoders=dict(
        video=dict(type='HierarchicalDecoder', embed_dims=64, depth=3, num_heads=2),
        audio=dict(type='HierarchicalDecoder', embed_dims=64, depth=3, num_heads=2),
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
        layers=(1, 3),
        loss=dict(type='InfoNCELoss', temperature=0.07, gather=False, loss_weight=0.0025),
    ),
)
