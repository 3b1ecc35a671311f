"""CLAIP-Emo nano on synthetic talking faces, 6 emotions, from random weights; batch 16, 20 epochs.

python tools/train.py configs/claip_emo/claip_emo_nano_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic``. CLAP's architecture reads the
filterbank of the other small models in place of that of its own extractor, whose folder would be needed. Not a
published size: there is no published number.
"""

_base_ = [
    '../_base_/models/claip_emo_nano.py',
    '../_base_/datasets/synthetic.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=1.0),
    dict(type='SampleSegments', mode='train', num_segments=16),
    dict(type='DecodeFrames'),
    dict(type='RandomResizedCropFlip', size=64, area_range=(0.85, 1.0), aspect_ratio_range=(0.9, 1.1)),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='SpecMasking', freq_mask=8, time_mask=32),
    dict(type='PackAudioVisual'),
]
test_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=0.3),
    dict(type='SampleSegments', mode='test', num_segments=16),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='SpatialViews', num_views=1, size=64),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    optimizer=dict(lr=1e-3),
    paramwise_cfg=dict(layer_decay=1.0),
    clip_grad=dict(max_norm=5.0),
)
auto_scale_lr = dict(base_batch_size=16)
param_scheduler = [dict(type='WarmupCosineLR', warmup=2, eta_min_ratio=1e-2, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=20, val_interval=5)
default_hooks = dict(checkpoint=dict(interval=5))
