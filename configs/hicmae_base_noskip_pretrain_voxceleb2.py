"""HiCMAE base, pre-training on VoxCeleb2 dev without skips; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_noskip_pretrain_voxceleb2.py 4 --amp

Ablation: the decoders see the fused tokens alone, no encoder layers.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

model = dict(skip_layers=(), decoders=dict(video=dict(type='PlainDecoder'), audio=dict(type='PlainDecoder')))
