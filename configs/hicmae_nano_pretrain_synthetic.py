# python tools/train.py configs/hicmae_nano_pretrain_synthetic.py
#
# Media first: python tools/dataset_converters/make_synthetic.py --out data/synthetic
# Stage 1 of tools/quickstart.sh, a few minutes on two CPU cores. No published number: it is not a published size.
_base_ = [
    '_base_/models/hicmae_nano_pretrain.py',
    '_base_/datasets/synthetic_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

optim_wrapper = dict(optimizer=dict(lr=2e-3))
auto_scale_lr = dict(base_batch_size=32)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20)
default_hooks = dict(checkpoint=dict(interval=5))
