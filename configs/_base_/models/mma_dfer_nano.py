"""An MMA-DFER for two CPU cores: 96 wide, 4 blocks, 16 frames of 64x64, 64 mel bins. Nothing is frozen.

Not a published size. No pre-trained encoders exist at this size, so that they are trained, too.
"""

_base_ = './mma_dfer_base.py'

nano = dict(embed_dims=96, depth=4, num_heads=3, prompt_interval=2)
model = dict(
    encoders=dict(
        video=dict(nano, patch_embed=dict(image_size=64)),
        audio=dict(nano, patch_embed=dict(num_frames=256, num_mel_bins=64)),
    ),
    exchange=dict(bottleneck=32),
    aggregator=dict(out_channels=96, num_heads=3, head_dims=32, mlp_dims=192),
    head=dict(num_classes=6),
    frozen=[],
)
