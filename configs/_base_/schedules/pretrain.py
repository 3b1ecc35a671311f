# HiCMAE pre-training: AdamW, lr 3e-4 * total batch / 256, 5 warm-up epochs, cosine to 1e-5 * batch / 256, 100 epochs
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=3e-4, betas=(0.9, 0.95), weight_decay=0.05, fused=True),
    constructor='LayerDecayOptimWrapperConstructor',
    # as published: the mask token of the video has no weight decay, that of the audio has
    paramwise_cfg=dict(layer_decay=1.0, no_decay=('decoders.video.mask_token',)),
)
param_scheduler = [
    dict(type='WarmupCosineLR', warmup=5, eta_min_ratio=1 / 30, by_epoch=True, convert_to_iter_based=True)
]
auto_scale_lr = dict(enable=True, base_batch_size=256)

train_cfg = dict(type='EpochTrainLoop', max_epochs=100)
