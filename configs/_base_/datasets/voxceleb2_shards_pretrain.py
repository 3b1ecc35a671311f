"""VoxCeleb2 dev for pre-training, from shards of frames that are cut to rows 0:160, columns 32:192 already.

``tools/dataset_converters/make_shards.py --crop 0,32,160,160`` packs them into ``data/voxceleb2_shards`` (another folder
or URL: ``VOXCELEB2_SHARDS`` in the environment), see docs/shards.md.
"""

train_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='pretrain', clip_len=16, frame_interval=4),
    dict(type='DecodeFrames'),
    dict(type='mmaction.MultiScaleCrop', input_size=160, scales=(1, 0.875, 0.75, 0.66), num_fixed_crops=13),
    dict(type='mmaction.Resize', scale=(160, 160), keep_ratio=False),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='RandomGain'),
    dict(type='Filterbank', num_mel_bins=128, target_length=256),
    dict(type='TubeMask', ratio=0.9, grid=(8, 10, 10)),
    dict(type='RandomMask', stream='audio', ratio=0.8, grid=(16, 8)),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(
    batch_size=40,
    num_workers=8,
    persistent_workers=True,
    pin_memory=True,
    drop_last=True,
    sampler=dict(type='ShardSampler', shuffle=True, window=4096),
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        type='AudioVisualShards',
        task='unlabelled',
        data_root='{{$VOXCELEB2_SHARDS:data/voxceleb2_shards}}',
        ann_file='index.json',
        on_error='skip',
        pipeline=train_pipeline,
    ),
)
