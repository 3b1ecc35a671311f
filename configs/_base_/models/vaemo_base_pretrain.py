"""VAEmo, pre-training: one encoder 512 wide and 12 deep for picture and sound, a decoder 256 wide and 4 deep for each.

The paper gives no sizes that could be read: these are ours. Blocks and norm of both encoders are one module; patch
embeddings and stream embeddings are each stream's own.
"""

encoder = dict(type='VisionTransformerEncoder', embed_dims=512, depth=12, num_heads=8, stream_embedding=True)
decoder = dict(type='PlainDecoder', embed_dims=256, depth=4, num_heads=4)
model = dict(
    type='AudioVisualPretrainer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(
            encoder,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
        audio=dict(
            encoder,
            patch_embed=dict(type='SpectrogramEmbed', num_frames=256, num_mel_bins=128, patch_size=16),
        ),
    ),
    tied={
        'encoders.audio.blocks': 'encoders.video.blocks',
        'encoders.audio.norm': 'encoders.video.norm',
    },
    skip_layers=(),
    decoders=dict(video=decoder, audio=decoder),
    heads=dict(
        video=dict(
            type='ReconstructionHead',
            target=dict(type='VideoPatchTarget', normalize=True, frame_difference=False),
            loss=dict(type='MaskedMSELoss'),
        ),
        audio=dict(
            type='ReconstructionHead',
            target=dict(type='SpectrogramPatchTarget', normalize=True),
            loss=dict(type='MaskedMSELoss'),
        ),
    ),
    objectives=dict(contrast=dict(type='HierarchicalContrast', layers=(11,), loss_weight=0.01)),
)
