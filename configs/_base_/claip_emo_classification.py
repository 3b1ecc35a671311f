"""CLAIP-Emo's recipe without data: learning rate 1e-5 * batch / 256, weight decay 0.05, no layer decay, 100 epochs.

Checkpoints hold the trained parts only. A leaf adds its data.
"""

_base_ = ['models/claip_emo_base.py', 'schedules/finetune.py', 'default_runtime.py']

optim_wrapper = dict(optimizer=dict(lr=1e-5), paramwise_cfg=dict(layer_decay=1.0))
train_cfg = dict(max_epochs=100)
default_hooks = dict(checkpoint=dict(save_best='WAR', rule='greater', save_trainable_only=True))
