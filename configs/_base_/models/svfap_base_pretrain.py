"""SVFAP base, pre-training: the encoder of svfap_base_finetune.py with a final norm, a decoder 384 wide and 4 deep."""

model = dict(
    type='AudioVisualPretrainer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='TPSBTEncoder',
            embed_dims=512,
            stage_depths=(12, 6, 3),
            num_heads=8,
            bottleneck_tokens=8,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
    ),
    skip_layers=(),
    decoders=dict(video=dict(type='PlainDecoder', embed_dims=384, depth=4, num_heads=6)),
    heads=dict(
        video=dict(
            type='ReconstructionHead',
            target=dict(type='VideoPatchTarget', normalize=True, frame_difference=False),
            loss=dict(type='MaskedMSELoss'),
        ),
    ),
)
