# python tools/train.py configs/hicmae_nano_synthetic.py --cfg-options load_from=work_dirs/hicmae_nano_pretrain_synthetic/epoch_20.pth
#
# Stage 2 of tools/quickstart.sh: picture and sound. No published number: it is not a published size.
_base_ = [
    '_base_/models/hicmae_nano_finetune.py',
    '_base_/datasets/synthetic.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=dict(layer_decay=0.9))
auto_scale_lr = dict(base_batch_size=32)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20, val_interval=5)
default_hooks = dict(checkpoint=dict(interval=5))
