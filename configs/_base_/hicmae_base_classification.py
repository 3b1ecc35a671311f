"""HiCMAE base, fine-tuning to tell classes: model, schedule, runtime, mixed clips, and the best epoch by UAR.

A leaf adds its data and, for other numbers of classes than 6, both ``num_classes``.
"""

_base_ = ['models/hicmae_base_finetune.py', 'schedules/finetune.py', 'default_runtime.py']

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=6, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    )
)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
