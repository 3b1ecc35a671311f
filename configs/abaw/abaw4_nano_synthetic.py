"""ABAW4 nano: expression, valence and arousal, and action units of every frame of synthetic recordings; 8 epochs.

python tools/train.py configs/abaw/abaw4_nano_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic --recordings``. A small
convolutional network reads every second picture, and temporal convolutions read the spectrogram. The three losses count
once each, and that of valence and arousal is 1 - CCC. Not a published size: there is no published number.
"""

_base_ = [
    '../_base_/datasets/synthetic_recordings.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

frames = dict(level='frame', norm=False, init_scale=1.0)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        video=dict(type='TimmEncoder', name='test_convnext', tokens='frames'),
        audio=dict(type='FeatureTCNEncoder', in_channels=64, embed_dims=64, depth=5, drop=0.1),
    ),
    fusion=None,
    aggregator=dict(type='FrameTokens', num_steps=16),
    head=dict(
        type='MultiTaskHead',
        heads=dict(
            expression=dict(type='ClassificationHead', num_classes=6, target='expression', ignore=-1, **frames),
            valence_arousal=dict(
                type='RegressionHead',
                num_outputs=2,
                target='valence_arousal',
                ignore=-5,
                loss=dict(type='CCCLoss'),
                **frames,
            ),
            action_units=dict(type='MultiLabelHead', num_labels=6, target='action_units', ignore=-1, **frames),
        ),
    ),
)

optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01), clip_grad=dict(max_norm=5.0))
param_scheduler = [dict(type='WarmupCosineLR', warmup=1, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=8, val_interval=4)
default_hooks = dict(checkpoint=dict(interval=4))
