# M2FNet over features of utterances: context of each stream, fusion attention led by the words, a class per utterance
model = dict(
    type='ConversationRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        text=dict(type='FeatureMLPEncoder', in_channels=1024, widths=()),
        audio=dict(type='FeatureMLPEncoder', in_channels=300, widths=()),
        video=dict(type='FeatureMLPEncoder', in_channels=300, widths=()),
    ),
    num_speakers=8,
    fusion=dict(
        type='ConversationFusion', embed_dims=256, leading='text', context_depth=2, depth=4, num_heads=4, drop=0.4
    ),
    aggregator=dict(type='FrameTokens'),
    head=dict(type='ClassificationHead', num_classes=7, init_scale=1.0),
)
