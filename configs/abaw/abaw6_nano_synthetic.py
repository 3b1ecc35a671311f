"""ABAW6 nano: expression, valence and arousal of every frame by two feature streams of synthetic recordings; batch 16, 20 epochs.

python tools/train.py configs/abaw/abaw6_nano_synthetic.py

An LSTM per stream, attention over the streams in every frame, and an LSTM in both directions, as abaw6_va_affwild2.py,
on windows of 48 frames. ``tools/extract_frame_features.py`` writes a row for each frame into
``recordings/features/{audio,video}`` of the corpus (docs/systems/abaw.md has the commands). Not a published size: there
is no published number.
"""

_base_ = [
    '../_base_/datasets/synthetic_frame_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

lstm = dict(type='FeatureLSTMEncoder', in_channels=64, hidden_dims=64, out_channels=64, drop=0.3)
frames = dict(level='frame', norm=False, init_scale=1.0)
model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(audio=lstm, video=lstm),
    fusion=None,
    aggregator=dict(type='FrameAttentionAggregator', widths=(64, 64), hidden_dims=64, drop=0.3),
    head=dict(
        type='MultiTaskHead',
        heads=dict(
            expression=dict(type='ClassificationHead', num_classes=6, target='expression', ignore=-1, **frames),
            valence_arousal=dict(
                type='RegressionHead',
                num_outputs=2,
                target='valence_arousal',
                ignore=-5,
                loss=dict(type='SequenceCCCLoss'),
                **frames,
            ),
        ),
    ),
    missing_streams='zero',
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.01), clip_grad=dict(max_norm=5.0))
train_cfg = dict(max_epochs=20, val_interval=20)
default_hooks = dict(checkpoint=dict(interval=20))
work_dir = 'work_dirs/abaw6_nano_synthetic'
