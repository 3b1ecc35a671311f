"""VAEmo nano, second stage on synthetic talking faces: both streams align with texts; batch 16, 10 epochs.

python tools/train.py configs/vaemo/vaemo_nano_align_synthetic.py --cfg-options load_from=FIRST_STAGE.pth

``text_embeddings`` in the folder of the corpus holds a vector of 64 numbers for each of some clips: docs/systems/vaemo.md
says how to make them. There is no published number.
"""

_base_ = [
    '../_base_/models/vaemo_nano_pretrain.py',
    '../_base_/datasets/synthetic_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

# before the clips are packed, the vector of each clip is read; a part of the corpus may have one
pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='LoadFeatureTarget', target='text', source='text_embeddings', is_optional=True),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
model = dict(objectives=dict(text=dict(type='FeatureAlignment', feature_dims=64, loss_weight=0.1)))
optim_wrapper = dict(optimizer=dict(lr=1e-3), clip_grad=dict(max_norm=5.0))
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=1, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=10)
default_hooks = dict(checkpoint=dict(interval=5))
