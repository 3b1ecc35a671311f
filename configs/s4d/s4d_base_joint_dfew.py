"""S4D base, fine-tuning on videos of DFEW and images of AffectNet-7 together; batch 16, 100 epochs.

tools/dist_train.sh configs/s4d/s4d_base_joint_dfew.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold of DFEW (default 1). AFFECTNET_ROOT names the folder with the images and
``train.csv``, ``image - class`` per line (default data/affectnet). Published recipe: 8 experts in blocks 6 to 11, two
for each token, balance loss 1e-3, AdamW with learning rate 1e-5 * total batch / 8, weight decay 0.05, layer decay 0.75,
and half as many passes over the images as over the videos. Its numbers are pictures: none is quoted here.

Published, but not here: mix-up on the videos, and batches of one kind of clip.
"""

_base_ = [
    '../_base_/models/s4d_base_joint.py',
    '../_base_/datasets/dfew.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

video = dict(streams=('video',))
pack = [
    dict(type='ClipAsStream', absent=('image',), left_out=('expression',)),
    dict(type='PackStreams', arrays=('video', 'image'), meta_keys=('left_out',)),
]
image_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='train', clip_len=2, frame_interval=1),
    dict(type='DecodeFrames'),
    dict(type='ClipRandAugment', policy='rand-m7-n4-mstd0.5-inc1', interpolation='bilinear', is_fused=True),
    dict(type='RandomResizedCropFlip', size=160, area_range=(0.08, 1.0), aspect_ratio_range=(3 / 4, 4 / 3)),
    dict(type='ClipRandomErasing', prob=0.25),
    dict(type='ClipAsStream', stream='image', target='expression', absent=('video',), left_out=('label',)),
    dict(type='PackStreams', arrays=('video', 'image'), meta_keys=('left_out',)),
]
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        _delete_=True,
        type='ConcatDataset',
        ignore_keys=['name', 'licence', 'homepage', 'paper', 'speaker_independent', 'classes', 'palette'],
        datasets=[
            dict(
                type='RepeatDataset',
                times=2,
                dataset=dict(
                    type='DFEW',
                    data_root='{{$DFEW_ROOT:data/dfew}}',
                    ann_file='fold{{$FOLD:1}}/train.csv',
                    on_error='skip',
                    pipeline=[*_base_.train_pipeline[:-1], *pack],
                    **video,
                ),
            ),
            dict(
                type='AudioVisualDataset',
                data_root='{{$AFFECTNET_ROOT:data/affectnet}}',
                ann_file='train.csv',
                num_classes=7,
                on_error='skip',
                pipeline=image_pipeline,
                **video,
            ),
        ],
    ),
)
val_dataloader = dict(dataset=video)
test_dataloader = dict(dataset=video)
optim_wrapper = dict(optimizer=dict(lr=1e-5))
auto_scale_lr = dict(base_batch_size=8)
param_scheduler = [dict(type='WarmupCosineLR', warmup=5, eta_min_ratio=0.03, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=50)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/s4d_base_joint_dfew/fold{{$FOLD:1}}'
