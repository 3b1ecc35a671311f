auto_scale_lr = dict(base_batch_size=256, enable=False)
custom_imports = dict(
    allow_failed_imports=False,
    imports=[
        'old_gated_fusion',
    ],
)
default_hooks = dict(
    accumulated_gradient=dict(type='AccumulatedGradientHook'),
    checkpoint=dict(interval=1, max_keep_ckpts=2, type='CheckpointHook'),
    iteration_seed=dict(type='IterationSeedHook'),
    logger=dict(ignore_last=False, interval=20, type='LoggerHook'),
    non_finite_loss=dict(type='NonFiniteLossHook'),
    param_scheduler=dict(type='ParamSchedulerHook'),
    runtime_info=dict(type='DeferredRuntimeInfoHook'),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    skipped_samples=dict(type='SkippedSamplesHook'),
    timer=dict(type='IterTimerHook'),
)
default_scope = 'hicmae_mm'
env_cfg = dict(
    cudnn_benchmark=False, dist_cfg=dict(backend='nccl'), mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0)
)
load_from = None
log_level = 'INFO'
log_processor = dict(by_epoch=True, type='LogProcessor', window_size=20)
model = dict(
    aggregator=dict(type='HierarchicalFeatureAggregator'),
    data_preprocessor=dict(batch_augment=dict(num_classes=2, type='MixupCutmix'), type='AudioVisualDataPreprocessor'),
    encoders=dict(
        audio=dict(
            depth=2,
            embed_dims=8,
            num_heads=2,
            patch_embed=dict(num_frames=32, num_mel_bins=32, type='SpectrogramEmbed'),
            type='VisionTransformerEncoder',
        ),
        video=dict(
            depth=2,
            embed_dims=8,
            num_heads=2,
            patch_embed=dict(image_size=32, num_frames=4, type='TubeletEmbed'),
            type='VisionTransformerEncoder',
        ),
    ),
    fusion=dict(bias=-1.0, type='GatedFusion'),
    head=dict(num_classes=2, type='ClassificationHead'),
    type='AudioVisualRecognizer',
)
optim_wrapper = dict(
    constructor='LayerDecayOptimWrapperConstructor',
    optimizer=dict(lr=0.01, type='AdamW', weight_decay=0.05),
    paramwise_cfg=dict(layer_decay=0.75),
    type='OptimWrapper',
)
param_scheduler = [
    dict(by_epoch=True, convert_to_iter_based=True, type='WarmupCosineLR', warmup=0),
]
randomness = dict(seed=0)
resume = False
test_cfg = dict(type='TestLoop')
test_dataloader = dict(
    batch_size=2,
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        ann_file='list.txt',
        data_root='{{$OLD_DATA:data}}',
        metainfo=dict(
            classes=(
                'high',
                'low',
            )
        ),
        pipeline=[
            dict(type='OpenVideo'),
            dict(clip_len=4, frame_interval=2, mode='test', num_clips=2, type='SampleClips'),
            dict(type='DecodeFrames'),
            dict(type='LoadAudio'),
            dict(num_mel_bins=32, target_length=32, type='Filterbank'),
            dict(type='PackAudioVisual'),
        ],
        type='AudioVisualDataset',
    ),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'),
)
test_evaluator = dict(type='ClassificationMetric')
train_cfg = dict(max_epochs=3, type='EpochTrainLoop', val_interval=1)
train_dataloader = dict(
    batch_size=2,
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        ann_file='list.txt',
        data_root='{{$OLD_DATA:data}}',
        metainfo=dict(
            classes=(
                'high',
                'low',
            )
        ),
        pipeline=[
            dict(type='OpenVideo'),
            dict(clip_len=4, frame_interval=2, mode='train', num_clips=1, type='SampleClips'),
            dict(type='DecodeFrames'),
            dict(type='LoadAudio'),
            dict(num_mel_bins=32, target_length=32, type='Filterbank'),
            dict(type='PackAudioVisual'),
        ],
        type='AudioVisualDataset',
    ),
    num_workers=0,
    sampler=dict(shuffle=True, type='SeededSampler'),
)
val_cfg = dict(type='ValLoop')
val_dataloader = dict(
    batch_size=2,
    collate_fn=dict(type='collate_audio_visual'),
    dataset=dict(
        ann_file='list.txt',
        data_root='{{$OLD_DATA:data}}',
        metainfo=dict(
            classes=(
                'high',
                'low',
            )
        ),
        pipeline=[
            dict(type='OpenVideo'),
            dict(clip_len=4, frame_interval=2, mode='test', num_clips=2, type='SampleClips'),
            dict(type='DecodeFrames'),
            dict(type='LoadAudio'),
            dict(num_mel_bins=32, target_length=32, type='Filterbank'),
            dict(type='PackAudioVisual'),
        ],
        type='AudioVisualDataset',
    ),
    num_workers=0,
    sampler=dict(shuffle=False, type='DefaultSampler'),
)
val_evaluator = dict(type='ClassificationMetric')
vis_backends = None
visualizer = dict(
    type='Visualizer',
    vis_backends=[
        dict(type='LocalVisBackend'),
    ],
)
