"""ABAW6, valence and arousal of every frame of Aff-Wild2 by three feature streams; batch 32, 50 epochs.

python tools/train.py configs/abaw/abaw6_va_affwild2.py

Windows of 200 frames, an LSTM of width 64 per stream, attention over the streams in every frame, an LSTM in both
directions, dropout 0.4, Adam at 1e-3 with decay 1e-5: as published by F. Wen et al. (2024). Lengths of the features are
those of their kind (HuBERT large, a language model, CLIP ViT-L/14); epochs and batch are choices of this project. The
loss is 2 - CCC of each window; ``model.head.loss.type=CCCLoss`` takes all frames of a batch together.

Published: the baseline of the challenge (ResNet-50) has a mean CCC of 0.22 on the validation videos, over all frames.
The entry's own validation score is the mean over windows (``CCC_per_sequence``), which is another measure. Neither is
reproduced here.
"""

_base_ = [
    '../_base_/datasets/affwild2_va_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

model = dict(
    type='AudioVisualRecognizer',
    data_preprocessor=dict(type='AudioVisualDataPreprocessor'),
    encoders=dict(
        audio=dict(type='FeatureLSTMEncoder', in_channels=1024, hidden_dims=64, out_channels=64, drop=0.4),
        text=dict(type='FeatureLSTMEncoder', in_channels=1024, hidden_dims=64, out_channels=64, drop=0.4),
        video=dict(type='FeatureLSTMEncoder', in_channels=768, hidden_dims=64, out_channels=64, drop=0.4),
    ),
    fusion=None,
    aggregator=dict(
        type='FrameAttentionAggregator',
        widths=(64, 64, 64),
        hidden_dims=64,
        drop=0.4,
        order=('audio', 'text', 'video'),
    ),
    head=dict(
        type='RegressionHead',
        num_outputs=2,
        level='frame',
        target='valence_arousal',
        ignore=-5,
        norm=False,
        init_scale=1.0,
        loss=dict(type='SequenceCCCLoss'),
    ),
)
train_cfg = dict(max_epochs=50)
default_hooks = dict(checkpoint=dict(save_best='CCC', rule='greater'))
work_dir = 'work_dirs/abaw6_va_affwild2'
