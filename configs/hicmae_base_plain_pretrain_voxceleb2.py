"""HiCMAE base, pre-training on VoxCeleb2 dev without skips and contrast; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_plain_pretrain_voxceleb2.py 4 --amp

Ablation: plain masked autoencoding of both streams with fusion.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

model = dict(
    skip_layers=(), contrastive=None, decoders=dict(video=dict(type='PlainDecoder'), audio=dict(type='PlainDecoder'))
)
