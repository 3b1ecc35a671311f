"""HiCMAE small, fine-tuning: 384 wide, 10 + 10 encoder layers, 2 fusion layers, drop path 0.1, 6 classes."""

_base_ = './hicmae_base_finetune.py'

model = dict(
    encoders=dict(video=dict(embed_dims=384, num_heads=6), audio=dict(embed_dims=384, num_heads=6)),
    fusion=dict(num_heads=6),
)
