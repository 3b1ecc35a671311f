"""An SVFAP for two CPU cores, fine-tuning: 96 wide, stages of 2 and 2 blocks, 6 classes, no mixing.

Not a published size. 8 frames of 64x64: 64 video tokens.
"""

_base_ = './svfap_base_finetune.py'

model = dict(
    data_preprocessor=dict(batch_augment=None),
    encoders=dict(
        video=dict(
            embed_dims=96,
            stage_depths=(2, 2),
            num_heads=3,
            bottleneck_tokens=4,
            patch_embed=dict(image_size=64, num_frames=8),
        ),
    ),
    head=dict(num_classes=6),
)
