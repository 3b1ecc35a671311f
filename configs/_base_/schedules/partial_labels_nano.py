# small models on candidate labels: AdamW, cosine, 60 epochs; the last one is the result
optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05))
param_scheduler = [dict(type='WarmupCosineLR', warmup=4, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]

train_cfg = dict(type='EpochTrainLoop', max_epochs=60, val_interval=60)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
