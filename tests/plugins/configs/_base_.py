"""What the six configs share: a table as list, batches of 4 in this process, 2 epochs."""

_base_ = ['../../../configs/_base_/schedules/finetune.py', '../../../configs/_base_/default_runtime.py']

data_root = '{{$PLUGIN_DATA:data/plugins}}'
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='clips.csv', data_root=data_root, num_classes=2),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='collate_streams'),
    dataset=dict(type='AudioVisualDataset', ann_file='clips.csv', data_root=data_root, num_classes=2),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassificationMetric')
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-2, fused=False))
param_scheduler = [dict(type='WarmupCosineLR', warmup=0, by_epoch=True, convert_to_iter_based=True)]
auto_scale_lr = dict(enable=False)
train_cfg = dict(max_epochs=2)
visualizer = dict(_delete_=True, type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
