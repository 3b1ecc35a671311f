"""MAE-DFER base, fine-tuning to tell classes: model, schedule, runtime, and the best epoch by UAR.

A leaf adds its data and, for other numbers of classes than 7, both ``num_classes``.
"""

_base_ = ['models/mae_dfer_base_finetune.py', 'schedules/finetune.py', 'default_runtime.py']

optim_wrapper = dict(paramwise_cfg=dict(no_decay=('region_tokens',)))
train_cfg = dict(max_epochs=100)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
