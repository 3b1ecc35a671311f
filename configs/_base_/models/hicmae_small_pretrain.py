"""HiCMAE small, pre-training: 384 wide, 10 + 10 encoder layers, 2 fusion layers, decoders 192 wide and 4 deep."""

_base_ = './hicmae_base_pretrain.py'

model = dict(
    encoders=dict(video=dict(embed_dims=384, num_heads=6), audio=dict(embed_dims=384, num_heads=6)),
    fusion=dict(num_heads=6),
    decoders=dict(video=dict(embed_dims=192, num_heads=3), audio=dict(embed_dims=192, num_heads=3)),
)
