"""CLAIP-Emo on DFEW, 7 emotions; frozen CLIP ViT-B/16 and CLAP with LoRA; batch 64, 100 epochs.

tools/dist_train.sh configs/claip_emo/claip_emo_base_dfew.py 4 --amp

CLIP_FOLDER (weights/clip-vit-base-patch16) and CLAP_FOLDER (weights/clap-htsat-fused) in the environment name local
folders with both models (docs/systems/claip_emo.md). FOLD=1 to 5 chooses the fold (default 1). Recipe: AdamW 1e-5 *
total batch / 256 with weight decay 0.05 and no layer decay, RandAugment, mixup 0.8, cutmix 1.0, label smoothing 0.1, 2
clips with 2 crops in testing. The size of the batch is our choice.

We know no published number of this size.
"""

_base_ = ['../_base_/claip_emo_classification.py', '../_base_/datasets/dfew.py']

spectrogram = dict(type='ExtractorSpectrogram', path='{{$CLAP_FOLDER:weights/clap-htsat-fused}}')
train_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='train', clip_len=16, frame_interval=4),
    dict(type='DecodeFrames'),
    dict(type='ClipRandAugment', policy='rand-m7-n4-mstd0.5-inc1', interpolation='bilinear', is_fused=True),
    dict(type='RandomResizedCropFlip', size=224, area_range=(0.08, 1.0), aspect_ratio_range=(3 / 4, 4 / 3)),
    dict(type='ClipRandomErasing', prob=0.25),
    dict(type='WholeTrack', sample_rate_hz=48000, max_seconds=10, random_part=True),
    spectrogram,
    dict(type='PackAudioVisual'),
]
test_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='test', clip_len=16, frame_interval=4, num_clips=2),
    dict(type='DecodeFrames'),
    dict(type='SpatialViews', num_views=2, size=224),
    dict(type='WholeTrack', sample_rate_hz=48000, max_seconds=10),
    spectrogram,
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
work_dir = 'work_dirs/claip_emo_base_dfew/fold{{$FOLD:1}}'
