"""VoxCeleb2 dev for pre-training with masks of the decoders, too (AVF-MAE++); otherwise as ``voxceleb2_pretrain.py``."""

_base_ = './voxceleb2_pretrain.py'

train_pipeline = [
    *_base_.train_pipeline[:-3],
    dict(type='TubeMask', ratio=0.9, grid=(8, 10, 10)),
    dict(type='RunningCellMask', ratio=0.5, grid=(8, 10, 10)),
    dict(type='RandomMask', stream='audio', ratio=0.8125, grid=(16, 8)),
    dict(type='RandomMask', stream='audio', ratio=0.5, grid=(16, 8), for_decoder=True),
    dict(type='PackAudioVisual'),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
