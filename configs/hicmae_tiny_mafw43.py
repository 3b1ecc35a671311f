"""HiCMAE tiny, fine-tuning on MAFW, 43 compound emotions; batch 56, 100 epochs.

tools/dist_train.sh configs/hicmae_tiny_mafw43.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs.

The published numbers for this size and task are not on record here (docs/reproduction.md).
"""

_base_ = [
    '_base_/models/hicmae_tiny_finetune.py',
    '_base_/datasets/mafw43.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=43, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    head=dict(num_classes=43),
)
train_cfg = dict(max_epochs=100)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/hicmae_tiny_mafw43/fold{{$FOLD:1}}'
