"""MERTools 2024, attention over three streams of frame features, 6 emotions and valence; batch 32, 100 epochs.

python tools/train.py configs/mer/mer2024_attention_frames.py

As mer2024_attention.py, with an LSTM over the features of frames, words and pieces of sound instead of an MLP. MERTools
puts zeros in front of short sequences; here padding has no effect. The published numbers are not on record here.
"""

_base_ = ['./mer2023_attention.py']

mlp = dict(widths=(128, 128, 128), drop=0.0, input_drop=0.3)
model = dict(
    encoders=dict(
        audio=dict(
            _delete_=True, type='FeatureLSTMEncoder', in_channels=1024, hidden_dims=128, out_channels=128, drop=0.3
        ),
        text=dict(
            _delete_=True, type='FeatureLSTMEncoder', in_channels=1024, hidden_dims=128, out_channels=128, drop=0.3
        ),
        video=dict(
            _delete_=True, type='FeatureLSTMEncoder', in_channels=768, hidden_dims=128, out_channels=128, drop=0.3
        ),
    ),
    aggregator=mlp,
)
work_dir = 'work_dirs/mer2024_attention_frames'
