"""HiCMAE base, pre-training on VoxCeleb2 dev without contrast; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_nocontrast_pretrain_voxceleb2.py 4 --amp

Ablation: reconstruction alone.
"""

_base_ = [
    '_base_/models/hicmae_base_pretrain.py',
    '_base_/datasets/voxceleb2_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

model = dict(contrastive=None)
default_hooks = dict(checkpoint=dict(interval=5))
