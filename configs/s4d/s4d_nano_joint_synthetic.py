"""S4D nano on synthetic talking faces, 6 emotions: videos and single pictures of them together; batch 16, 10 epochs.

python tools/train.py configs/s4d/s4d_nano_joint_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic``. Every epoch sees each video twice
and one picture of it. Not a published size: there is no published number.
"""

_base_ = [
    '../_base_/models/s4d_nano_joint.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

video = dict(streams=('video',))
pack = [
    dict(type='ClipAsStream', absent=('image',), left_out=('expression',)),
    dict(type='PackStreams', arrays=('video', 'image'), meta_keys=('left_out',)),
]
image_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=1.0),
    dict(type='SampleClips', mode='train', clip_len=2, frame_interval=1),
    dict(type='DecodeFrames'),
    dict(type='mmaction.RandomResizedCrop', area_range=(0.85, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='mmaction.Flip', flip_ratio=0.5),
    dict(type='ClipAsStream', stream='image', target='expression', absent=('video',), left_out=('label',)),
    dict(type='PackStreams', arrays=('video', 'image'), meta_keys=('left_out',)),
]
corpus = dict(
    type='AudioVisualDataset',
    data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
    ann_file='train.csv',
    metainfo=dict(classes=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')),
    on_error='skip',
    **video,
)
train_dataloader = dict(
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        datasets=[
            dict(type='RepeatDataset', times=2, dataset=dict(corpus, pipeline=[*_base_.train_pipeline[:-1], *pack])),
            dict(corpus, pipeline=image_pipeline),
        ],
    ),
)
val_dataloader = dict(dataset=video)
test_dataloader = dict(dataset=video)
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(layer_decay=0.9),
    clip_grad=dict(max_norm=5.0),
)
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=10, val_interval=5)
default_hooks = dict(checkpoint=dict(interval=5))
