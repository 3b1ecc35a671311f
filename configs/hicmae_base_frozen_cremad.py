"""HiCMAE base, CREMA-D, 6 emotions, encoders frozen: fusion, layer mix and head are trained; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_frozen_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

Frozen encoders drop no path and store nothing for the backward pass. All else is the recipe of fine-tuning. FOLD as in
hicmae_base_cremad.py. There is no published number.
"""

_base_ = [
    '_base_/models/hicmae_base_finetune.py',
    '_base_/datasets/cremad.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=6, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    frozen=('encoders',),
)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/hicmae_base_frozen_cremad/fold{{$FOLD:1}}'
