"""A VAEmo for two CPU cores, pre-training: one encoder 96 wide and 4 deep for picture and sound.

8 frames of 64x64 and 64 mel bins: 64 video tokens and 64 audio tokens.
"""

_base_ = './vaemo_base_pretrain.py'

nano = dict(embed_dims=96, depth=4, num_heads=3)
nano_decoder = dict(embed_dims=64, depth=2, num_heads=2)
model = dict(
    encoders=dict(
        video=dict(nano, patch_embed=dict(image_size=64, num_frames=8)),
        audio=dict(nano, patch_embed=dict(num_mel_bins=64)),
    ),
    decoders=dict(video=nano_decoder, audio=nano_decoder),
    objectives=dict(contrast=dict(layers=(3,))),
)
