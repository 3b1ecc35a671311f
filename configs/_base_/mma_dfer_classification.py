"""MMA-DFER's recipe without data: AdamW 1e-4 with weight decay 1e-2, 25 epochs, cosine per epoch to 0, batch 8.

The last epoch is the result, as published.
"""

_base_ = ['models/mma_dfer_base.py', 'schedules/finetune.py', 'default_runtime.py']

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-4, betas=(0.9, 0.999), weight_decay=1e-2, fused=True),
)
param_scheduler = [dict(type='WarmupCosineLR', warmup=0, eta_min_ratio=0.0, by_epoch=True)]
auto_scale_lr = dict(base_batch_size=8)
train_cfg = dict(max_epochs=25)
