"""An SVFAP for two CPU cores, pre-training: 96 wide, stages of 2 and 2 blocks, a decoder 64 wide and 2 deep.

Not a published size. 8 frames of 64x64: 64 video tokens.
"""

_base_ = './svfap_base_pretrain.py'

model = dict(
    encoders=dict(
        video=dict(
            embed_dims=96,
            stage_depths=(2, 2),
            num_heads=3,
            bottleneck_tokens=4,
            patch_embed=dict(image_size=64, num_frames=8),
        ),
    ),
    decoders=dict(video=dict(embed_dims=64, depth=2, num_heads=2)),
)
