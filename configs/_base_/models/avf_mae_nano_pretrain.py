"""An AVF-MAE++ for two CPU cores, pre-training: 96 wide, 4 + 4 encoder layers, 1 fusion layer, decoders 64 wide.

Not a published size. 8 frames of 64x64 and 64 mel bins: 64 video tokens and 64 audio tokens in 4 regions each.
"""

_base_ = './avf_mae_base_pretrain.py'

model = dict(
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
    skip_layers=(1, 3),
    decoders=dict(
        video=dict(embed_dims=64, depth=3, num_heads=2),
        audio=dict(embed_dims=64, depth=3, num_heads=2),
    ),
    contrastive=dict(layers=(1, 3)),
)
