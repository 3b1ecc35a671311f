"""MAE-DFER base, pre-training: the encoder of mae_dfer_base_finetune.py with a final norm, a decoder 384 wide and 4 deep."""

model = dict(
    type='AudioVisualPretrainer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            type='LGIFormerEncoder',
            region=(2, 5, 10),
            embed_dims=512,
            depth=16,
            num_heads=8,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
    ),
    skip_layers=(),
    decoders=dict(video=dict(type='PlainDecoder', embed_dims=384, depth=4, num_heads=6)),
    heads=dict(
        video=dict(
            type='ReconstructionHead',
            target=dict(type='VideoPatchTarget', normalize=True, frame_difference=True, group_size=2),
            loss=dict(type='MaskedMSELoss'),
        ),
    ),
)
