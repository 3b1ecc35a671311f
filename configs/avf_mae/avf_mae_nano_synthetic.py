"""AVF-MAE++ nano, fine-tuning on synthetic talking faces, 6 emotions, picture and sound; batch 16, 20 epochs.

python tools/train.py configs/avf_mae/avf_mae_nano_synthetic.py --cfg-options load_from=PRETRAINED.pth

From the checkpoint of avf_mae_nano_pretrain_synthetic.py. Not a published size: there is no published number.
"""

_base_ = [
    '../_base_/models/avf_mae_nano_finetune.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(layer_decay=0.9),
    clip_grad=dict(max_norm=5.0),
)
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20, val_interval=4)
default_hooks = dict(checkpoint=dict(interval=4))
