"""Text, sound and picture by three frozen encoders of transformers: RoBERTa, wav2vec 2.0 and CLIP, all at base size.

ROBERTA_FOLDER, WAV2VEC2_FOLDER and CLIP_FOLDER in the environment name local folders of the models. ``config`` says
which models they must have. The means of their tokens are joined, and only the head is trained.
"""

model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(
        type='AudioVisualDataPreprocessor',
        mean=(122.7709383, 116.7460125, 104.09373615),
        std=(68.5005327, 66.6321579, 70.32316305),
    ),
    encoders=dict(
        text=dict(
            type='TransformersEncoder',
            path='{{$ROBERTA_FOLDER:weights/roberta-base}}',
            config=dict(
                model_type='roberta',
                hidden_size=768,
                intermediate_size=3072,
                num_hidden_layers=12,
                num_attention_heads=12,
                vocab_size=50265,
                max_position_embeddings=514,
                type_vocab_size=1,
                pad_token_id=1,
            ),
        ),
        audio=dict(
            type='TransformersEncoder',
            path='{{$WAV2VEC2_FOLDER:weights/wav2vec2-base}}',
            config=dict(
                model_type='wav2vec2',
                hidden_size=768,
                intermediate_size=3072,
                num_hidden_layers=12,
                num_attention_heads=12,
            ),
        ),
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
    ),
    frozen=('encoders',),
    aggregator=dict(type='MeanPoolAggregator'),
    head=dict(type='ClassificationHead', num_classes=7, init_scale=1.0),
    missing_streams='zero',
)
