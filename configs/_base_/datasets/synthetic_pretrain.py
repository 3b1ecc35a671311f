"""The synthetic corpus for pre-training: 96x96 mp4 and 16 kHz wav, multi-scale crop, masks.

Made by ``tools/dataset_converters/make_synthetic.py``; ``SYNTHETIC_ROOT`` in the environment names its folder (default
``data/synthetic``). ``pretrain.csv`` lists ``video audio`` per line: the training actors' clips, without labels.
"""

train_pipeline = [
    dict(type='OpenVideo', cache_gigabytes=1.5),
    dict(type='SampleClips', mode='pretrain', clip_len=8, frame_interval=8),
    dict(type='DecodeFrames'),
    dict(type='mmaction.MultiScaleCrop', input_size=96, scales=(1, 0.875, 0.75), num_fixed_crops=13),
    dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=64, target_length=256),
    dict(type='TubeMask', ratio=0.75, grid=(4, 4, 4)),
    dict(type='RandomMask', stream='audio', ratio=0.75, grid=(16, 4)),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(
    batch_size=16,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='SeededSampler', shuffle=True),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        type='AudioVisualDataset',
        task='unlabelled',
        data_root='{{$SYNTHETIC_ROOT:data/synthetic}}',
        ann_file='pretrain.csv',
        on_error='skip',
        pipeline=train_pipeline,
    ),
)
