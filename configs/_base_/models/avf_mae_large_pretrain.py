"""AVF-MAE++ large, pre-training: 640 wide, 10 + 10 encoder layers over 8 regions each, 2 fusion layers, decoders 512 wide."""

_base_ = './avf_mae_base_pretrain.py'

model = dict(
    encoders=dict(
        video=dict(embed_dims=640, num_heads=10),
        audio=dict(embed_dims=640, num_heads=10),
    ),
    fusion=dict(num_heads=10),
    decoders=dict(
        video=dict(embed_dims=512, num_heads=8),
        audio=dict(embed_dims=512, num_heads=8),
    ),
)
