"""MAE-DFER base, pre-training on VoxCeleb2, picture alone; batch 256, 100 epochs.

tools/dist_train.sh configs/mae_dfer/mae_dfer_base_pretrain_voxceleb2.py 4 --amp

Published recipe: AdamW (0.9, 0.95), learning rate 3e-4 * total batch / 256, 5 warm-up epochs, 90 % masked with as many
visible patches in each region, normalised pixels with frame difference, 64 clips on each of 4 GPUs. Here the decoder
gets the tokens in the order of their positions; ``model.encoders.video.published_order=True`` is the published form
(docs/systems/mae_dfer.md).
"""

_base_ = [
    '../_base_/models/mae_dfer_base_pretrain.py',
    '../_base_/datasets/voxceleb2_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

train_pipeline = [
    dict(type='OpenVideo'),
    dict(type='SampleClips', mode='pretrain', clip_len=16, frame_interval=4),
    dict(type='DecodeFrames'),
    dict(type='FixedCrop', top=0, left=32, height=160, width=160),
    dict(type='mmaction.MultiScaleCrop', input_size=160, scales=(1, 0.875, 0.75, 0.66), num_fixed_crops=13),
    dict(type='mmaction.Resize', scale=(160, 160), keep_ratio=False),
    dict(type='SymmetricWindowMask', ratio=0.9, grid=(8, 10, 10), window=(5, 10), symmetry=None),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(batch_size=64, dataset=dict(streams=('video',), pipeline=train_pipeline))
