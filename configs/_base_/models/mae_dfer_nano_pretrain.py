"""A MAE-DFER for two CPU cores, pre-training: 96 wide, 4 deep, a decoder 64 wide and 2 deep.

Not a published size. 8 frames of 64x64: 64 video tokens in 4 regions.
"""

_base_ = './mae_dfer_base_pretrain.py'

model = dict(
    encoders=dict(
        video=dict(
            region=(2, 2, 4),
            embed_dims=96,
            depth=4,
            num_heads=3,
            patch_embed=dict(image_size=64, num_frames=8),
        ),
    ),
    decoders=dict(video=dict(embed_dims=64, depth=2, num_heads=2)),
)
