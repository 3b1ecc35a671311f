"""HiCMAE tiny, fine-tuning: 256 wide, 10 + 10 encoder layers, 2 fusion layers, drop path 0.1, 6 classes."""

_base_ = './hicmae_base_finetune.py'

model = dict(
    encoders=dict(video=dict(embed_dims=256, num_heads=4), audio=dict(embed_dims=256, num_heads=4)),
    fusion=dict(num_heads=4),
)
