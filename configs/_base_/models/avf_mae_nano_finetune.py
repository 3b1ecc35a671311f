"""An AVF-MAE++ for two CPU cores, fine-tuning: 96 wide, 4 + 4 encoder layers, 1 fusion layer, 6 classes, no mixing.

Not a published size. 8 frames of 64x64 and 64 mel bins: 64 video tokens and 64 audio tokens in 4 regions each.
"""

_base_ = './avf_mae_base_finetune.py'

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
        audio=dict(embed_dims=96, depth=4, num_heads=3, patch_embed=dict(num_mel_bins=64)),
    ),
    fusion=dict(depth=1, num_heads=3),
)
