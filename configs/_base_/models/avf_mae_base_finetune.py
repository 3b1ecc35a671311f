"""AVF-MAE++ base, fine-tuning: 512 wide, 10 + 10 encoder layers; each stream is its 8 region tokens; 6 classes."""

_base_ = './hicmae_base_finetune.py'

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=6, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    encoders=dict(
        video=dict(type='LGIFormerEncoder', region=(2, 5, 10), gather=True, tokens='regions'),
        audio=dict(type='LGIFormerEncoder', region=(4, 4), gather=True, tokens='regions'),
    ),
    fusion=dict(type='IterativeCorrelationFusion', overall='layers'),
    aggregator=dict(_delete_=True, type='MeanPoolAggregator'),
)
