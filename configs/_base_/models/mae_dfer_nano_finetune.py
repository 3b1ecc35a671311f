"""A MAE-DFER for two CPU cores, fine-tuning: 96 wide, 4 deep, 6 classes, no mixing.

Not a published size. 8 frames of 64x64: 64 video tokens in 4 regions.
"""

_base_ = './mae_dfer_base_finetune.py'

model = dict(
    data_preprocessor=dict(batch_augment=None),
    encoders=dict(
        video=dict(
            region=(2, 2, 4),
            embed_dims=96,
            depth=4,
            num_heads=3,
            patch_embed=dict(image_size=64, num_frames=8),
        ),
    ),
    head=dict(num_classes=6),
)
