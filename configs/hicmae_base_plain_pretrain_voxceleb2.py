"""HiCMAE base, pre-training on VoxCeleb2 dev without skips and contrast; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_plain_pretrain_voxceleb2.py 4 --amp

Ablation: plain masked autoencoding of both streams with fusion.
"""

_base_ = [
    '_base_/models/hicmae_base_pretrain.py',
    '_base_/datasets/voxceleb2_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

model = dict(
    skip_layers=(), contrastive=None, decoders=dict(video=dict(type='PlainDecoder'), audio=dict(type='PlainDecoder'))
)
default_hooks = dict(checkpoint=dict(interval=5))
