"""AVF-MAE++ large, fine-tuning: 640 wide, 10 + 10 encoder layers; each stream is its 8 region tokens; 6 classes."""

_base_ = './avf_mae_base_finetune.py'

model = dict(
    encoders=dict(
        video=dict(embed_dims=640, num_heads=10),
        audio=dict(embed_dims=640, num_heads=10),
    ),
    fusion=dict(num_heads=10),
)
