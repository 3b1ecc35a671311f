# one hidden layer over the statistics of a voice, learned from candidate labels; embeddings of 64, a queue of 256 keys
model = dict(
    type='PartialLabelRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(audio=dict(type='FeatureMLPEncoder', in_channels=1496, widths=(128,), drop=0.5, input_drop=0.5)),
    aggregator=dict(type='StreamMLPAggregator', widths=()),
    head=dict(
        type='ClassificationHead',
        num_classes=6,
        norm=False,
        init_scale=1.0,
        loss=dict(type='PartialLabelLoss'),
    ),
    contrast=dict(type='PrototypeContrast', dims=64, queue_size=256, prototype_momentum=0.9),
    key_momentum=0.9,
)
