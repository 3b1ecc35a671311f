"""An S4D for two CPU cores: 96 wide, 4 blocks, 4 experts in the last two. 8 frames of 64x64, and images of that size.

Not a published size.
"""

_base_ = './s4d_base_joint.py'

nano = dict(embed_dims=96, depth=4, num_heads=3, expert_layers=(2, 3), num_experts=4)
model = dict(
    encoders=dict(
        video=dict(nano, patch_embed=dict(image_size=64, num_frames=8)),
        image=dict(nano, patch_embed=dict(image_size=64)),
    ),
    head=dict(heads=dict(video=dict(num_classes=6), image=dict(num_classes=6))),
)
