"""HiCMAE tiny, pre-training: 256 wide, 10 + 10 encoder layers, 2 fusion layers, decoders 128 wide and 4 deep.

The published code has no tiny decoder; this one keeps the ratios of the others.
"""

_base_ = './hicmae_base_pretrain.py'

model = dict(
    encoders=dict(video=dict(embed_dims=256, num_heads=4), audio=dict(embed_dims=256, num_heads=4)),
    fusion=dict(num_heads=4),
    decoders=dict(video=dict(embed_dims=128, num_heads=2), audio=dict(embed_dims=128, num_heads=2)),
)
