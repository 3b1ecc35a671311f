"""HiCMAE base, fine-tuning on CREMA-D, 6 emotions, picture alone; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_video_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

From the checkpoint that was pre-trained on both streams: one encoder, nothing to fuse, and the sound is not even opened.
The classifier takes the layer mix and the pooled top layer (``model.aggregator.pool_fused=False``: the mix alone). FOLD
as in hicmae_base_cremad.py. There is no published number for this corpus.
"""

_base_ = [
    '_base_/models/hicmae_base_finetune.py',
    '_base_/datasets/cremad.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

streams = ('video',)
model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=6, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    encoders=dict(_delete_=True, video={{_base_.model.encoders.video}}),
    fusion=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader

default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/hicmae_base_video_cremad/fold{{$FOLD:1}}'
