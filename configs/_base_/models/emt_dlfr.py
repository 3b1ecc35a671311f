# EMT-DLFR: text, sound and picture through global context, and dual-level restoration of an incomplete view
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        text=dict(type='FeatureMLPEncoder', in_channels=768, widths=(), has_special_tokens=True),
        audio=dict(type='FeatureLSTMEncoder', in_channels=5, hidden_dims=32),
        video=dict(type='FeatureLSTMEncoder', in_channels=20, hidden_dims=64),
    ),
    fusion=dict(type='EMTFusion', embed_dims=128, depth=3, num_heads=4, order=('text', 'audio', 'video')),
    aggregator=dict(type='ContextAggregator', widths=(128, 128), order=('text', 'audio', 'video')),
    head=dict(type='RegressionHead', num_outputs=1, norm=False, init_scale=1.0, loss=dict(type='L1Loss')),
    objectives=dict(
        dlfr=dict(type='FeatureRestoration', inputs=dict(audio=5, video=20), missing_rate=0.5, keep_ends=('text',)),
    ),
)
