"""A CLAIP-Emo for two CPU cores: CLIP's and CLAP's architectures 96 wide, 16 frames of 64x64, 64 mel bins, 256 frames.

Not a published size. No pre-trained encoders exist at this size, so that they start with random weights and are
trained as a whole, without LoRA.
"""

_base_ = './claip_emo_base.py'

model = dict(
    data_preprocessor=dict(_delete_=True, type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            path=None,
            config=dict(
                hidden_size=96,
                intermediate_size=384,
                num_hidden_layers=4,
                num_attention_heads=3,
                image_size=64,
            ),
        ),
        audio=dict(
            path=None,
            config=dict(
                hidden_size=96,
                patch_embeds_hidden_size=24,
                depths=[1, 2, 1],
                num_attention_heads=[1, 2, 4],
                num_hidden_layers=3,
                spec_size=128,
            ),
        ),
    ),
    adapters=[],
    aggregator=dict(num_frames=16, num_heads=3, head_dims=32, mlp_dims=192),
    head=dict(num_classes=6),
)
