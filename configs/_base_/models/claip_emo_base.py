"""CLAIP-Emo with CLIP ViT-B/16 on 16 frames and CLAP's HTS-AT on 10 s of sound; both frozen, with LoRA of rank 8.

CLIP_FOLDER and CLAP_FOLDER in the environment name the local folders of both models. ``config`` says which models they
must have. LoRA, the layer over the frames and the head are trained.
"""

lora = dict(type='LoRA', r=8, alpha=32, dropout=0.1)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(
        type='AudioVisualDataPreprocessor',
        mean=(122.7709383, 116.7460125, 104.09373615),
        std=(68.5005327, 66.6321579, 70.32316305),
        batch_augment=dict(
            type='MixupCutmix', num_classes=7, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5, streams=('video',)
        ),
    ),
    encoders=dict(
        video=dict(
            type='TransformersEncoder',
            path='{{$CLIP_FOLDER:weights/clip-vit-base-patch16}}',
            config=dict(
                model_type='clip_vision_model',
                hidden_size=768,
                intermediate_size=3072,
                num_hidden_layers=12,
                num_attention_heads=12,
                image_size=224,
                patch_size=16,
            ),
            tokens='frames',
        ),
        audio=dict(
            type='TransformersEncoder',
            path='{{$CLAP_FOLDER:weights/clap-htsat-fused}}',
            config=dict(
                model_type='clap_audio_model',
                hidden_size=768,
                patch_embeds_hidden_size=96,
                depths=[2, 2, 6, 2],
                num_attention_heads=[4, 8, 16, 32],
                spec_size=256,
                num_mel_bins=64,
            ),
        ),
    ),
    adapters=[
        dict(lora, target='encoders.video', modules=r'self_attn\.(q_proj|k_proj|v_proj|out_proj)|mlp\.fc[12]'),
        dict(lora, target='encoders.audio', modules=r'(attention\.output|intermediate|output)\.dense'),
    ],
    aggregator=dict(
        type='TemporalTransformerAggregator',
        num_frames=16,
        out_channels=None,
        depth=1,
        num_heads=8,
        head_dims=64,
        mlp_dims=1024,
        joined=('audio',),
    ),
    head=dict(
        type='ClassificationHead',
        num_classes=7,
        norm=False,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
