# HiCMAE fine-tuning: AdamW, lr 1e-3 * batch / 256, 5 warm-up epochs, cosine to 1e-6 * batch / 256, layer decay 0.75
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05, fused=True),
    constructor='LayerDecayOptimWrapperConstructor',
    paramwise_cfg=dict(layer_decay=0.75),
)
param_scheduler = [dict(type='WarmupCosineLR', warmup=5, eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True)]
auto_scale_lr = dict(enable=True, base_batch_size=256)

train_cfg = dict(type='EpochTrainLoop', max_epochs=50, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
