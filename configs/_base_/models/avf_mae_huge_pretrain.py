"""AVF-MAE++ huge, pre-training: 768 wide, 15 + 15 encoder layers over 8 regions each, 2 fusion layers, decoders 640 wide."""

_base_ = './avf_mae_base_pretrain.py'

model = dict(
    encoders=dict(
        video=dict(embed_dims=768, depth=15, num_heads=12),
        audio=dict(embed_dims=768, depth=15, num_heads=12),
    ),
    fusion=dict(num_heads=12),
    skip_layers=(4, 9, 14),
    decoders=dict(
        video=dict(embed_dims=640, num_heads=8),
        audio=dict(embed_dims=640, num_heads=8),
    ),
    contrastive=dict(layers=(4, 9, 14)),
)
