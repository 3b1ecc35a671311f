"""AVF-MAE++ huge, fine-tuning: 768 wide, 15 + 15 encoder layers; each stream is its 8 region tokens; 6 classes."""

_base_ = './avf_mae_base_finetune.py'

model = dict(
    encoders=dict(
        video=dict(embed_dims=768, depth=15, num_heads=12),
        audio=dict(embed_dims=768, depth=15, num_heads=12),
    ),
    fusion=dict(num_heads=12),
)
