"""MMA-DFER on DFEW, 7 emotions; frozen MAE-Face and AudioMAE, 7.6 M trained parameters; batch 8, 25 epochs.

python tools/train.py configs/mma_dfer/mma_dfer_base_dfew.py --cfg-options load_from=work_dirs/encoders.pth

The file holds both pre-trained encoders (docs/systems/mma_dfer.md). FOLD=1 to 5 in the environment chooses the fold
(default 1). Published recipe: AdamW 1e-4 with weight decay 1e-2 on everything, cosine per epoch to 0, colour jitter,
random crop and flip, 16 segments of the video, 512 frames of sound, the last epoch.

Published UAR / WAR 66.85 / 77.43, mean of five folds: not yet reproduced here.
"""

_base_ = ['../_base_/mma_dfer_classification.py', '../_base_/datasets/dfew.py']

train_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleSegments', mode='train', num_segments=16),
    dict(type='DecodeFrames'),
    dict(type='mmaction.ColorJitter', hue=0.0),  # its shift of hues fails with NumPy 2
    dict(type='RandomResizedCropFlip', size=224),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=128, target_length=512),
    dict(type='PackAudioVisual'),
]
test_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleSegments', mode='test', num_segments=16),
    dict(type='DecodeFrames'),
    dict(type='LoadAudio', sample_rate_hz=16000),
    dict(type='Filterbank', num_mel_bins=128, target_length=512),
    dict(type='SpatialViews', num_views=1, size=224),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(batch_size=8, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
work_dir = 'work_dirs/mma_dfer_base_dfew/fold{{$FOLD:1}}'
