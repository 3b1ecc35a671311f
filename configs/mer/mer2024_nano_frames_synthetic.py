"""MERTools 2024 on sequences of features of the synthetic corpus, 6 emotions and valence; batch 32, 30 epochs.

python tools/train.py configs/mer/mer2024_nano_frames_synthetic.py

As mer2024_nano_synthetic.py, with an LSTM over the features of picture and sound. Not a published size: there is no
published number.
"""

_base_ = [
    '../_base_/models/mer_features.py',
    '../_base_/datasets/synthetic_feature_sequences.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

lstm = dict(type='FeatureLSTMEncoder', in_channels=96, hidden_dims=128, out_channels=128, drop=0.3)
mlp = dict(widths=(128, 128, 128), drop=0.0, input_drop=0.3)
model = dict(
    encoders=dict(
        audio=dict(_delete_=True, **lstm), text=dict(_delete_=True, **lstm), video=dict(_delete_=True, **lstm)
    ),
    aggregator=mlp,
    missing_streams='zero',
)
train_cfg = dict(max_epochs=30, val_interval=30)
default_hooks = dict(checkpoint=dict(interval=30))
work_dir = 'work_dirs/mer2024_nano_frames_synthetic'
