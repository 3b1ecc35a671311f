"""HiCMAE tiny, fine-tuning on MSP-IMPROV, 4 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_tiny_msp_improv.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 6 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs. The number of epochs is not on record here; 50 is that of CREMA-D.

The published numbers for this size and task are not on record here (docs/reproduction.md).
"""

_base_ = [
    '_base_/models/hicmae_tiny_finetune.py',
    '_base_/datasets/msp_improv.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=4, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    head=dict(num_classes=4),
)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/hicmae_tiny_msp_improv/fold{{$FOLD:1}}'
