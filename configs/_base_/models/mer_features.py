# MER2023 baseline: an MLP per stream, attention over the streams, emotion and valence
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        audio=dict(type='FeatureMLPEncoder', in_channels=1024, widths=(256, 128), drop=0.2),
        text=dict(type='FeatureMLPEncoder', in_channels=1024, widths=(256, 128), drop=0.2),
        video=dict(type='FeatureMLPEncoder', in_channels=768, widths=(256, 128), drop=0.2),
    ),
    aggregator=dict(type='StreamAttentionAggregator', widths=(256, 128), drop=0.2, order=('audio', 'text', 'video')),
    head=dict(
        type='MultiTaskHead',
        heads=dict(
            emotion=dict(type='ClassificationHead', num_classes=6, norm=False, init_scale=1.0),
            valence=dict(type='RegressionHead', num_outputs=1, norm=False, init_scale=1.0),
        ),
    ),
)
