# one hidden layer over the statistics of a voice; so much dropout because there are few clips
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(
        type='AudioVisualDataPreprocessor',
        batch_augment=dict(type='MixupCutmix', num_classes=7, mixup_alpha=0.5, cutmix_alpha=0.0, streams=('audio',)),
    ),
    encoders=dict(audio=dict(type='FeatureMLPEncoder', in_channels=1496, widths=(128,), drop=0.5, input_drop=0.5)),
    aggregator=dict(type='StreamMLPAggregator', widths=()),
    head=dict(
        type='ClassificationHead',
        num_classes=7,
        norm=False,
        init_scale=1.0,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
