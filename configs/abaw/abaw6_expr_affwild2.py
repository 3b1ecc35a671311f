"""ABAW6, eight expressions of every frame of Aff-Wild2 by two feature streams; batch 32, 50 epochs.

python tools/train.py configs/abaw/abaw6_expr_affwild2.py

A small transformer over windows of 200 frames for the features of a frozen face model and of a frozen speech model. The
published entries use such features (EfficientNet, MAE-Face) and a small transformer; its size, the recipe and the
lengths of the features are choices of this project. The measure is macro F1 over all frames.

No published number of this form is on record here.
"""

_base_ = ['./abaw6_va_affwild2.py']

streams = ('audio', 'video')
pipeline = [
    dict(type='LoadFeature', stream='audio', source='features/audio', level='frame', name_column='recording'),
    dict(type='LoadFeature', stream='video', source='features/video', level='frame', name_column='recording'),
    dict(type='LoadFrameTargets', field='expression', ignore=-1),
    dict(type='CutWindow', sequences=streams, max_missing=4),
    dict(
        type='PackStreams',
        arrays=(),
        sequences=dict(audio='audio', video='video'),
        meta_keys=('first_frame', 'recording'),
    ),
]
expr = dict(data_root='{{$AFFWILD2_ROOT:data/affwild2}}/expr', streams=streams, pipeline=pipeline)
train_dataloader = dict(dataset=expr)
val_dataloader = dict(dataset=expr)
test_dataloader = dict(dataset=expr)
val_evaluator = dict(expression='expression', values=None, per_sequence=False)
test_evaluator = val_evaluator

transformer = dict(type='FeatureTransformerEncoder', embed_dims=128, depth=4, num_heads=4, window=50, drop=0.3)
model = dict(
    encoders=dict(
        _delete_=True,
        audio=dict(transformer, in_channels=1024),
        video=dict(transformer, in_channels=768),
    ),
    aggregator=dict(_delete_=True, type='FrameTokens'),
    head=dict(
        _delete_=True,
        type='ClassificationHead',
        num_classes=8,
        level='frame',
        target='expression',
        ignore=-1,
        init_scale=1.0,
        loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1),
    ),
)
optim_wrapper = dict(optimizer=dict(type='AdamW', lr=1e-4, weight_decay=0.01))
default_hooks = dict(checkpoint=dict(save_best='expression_f1', rule='greater'))
work_dir = 'work_dirs/abaw6_expr_affwild2'
