"""HiCMAE base, pre-training on VoxCeleb2 dev with contrast on the last layer alone; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_lastcontrast_pretrain_voxceleb2.py 4 --amp

Ablation: contrast that is not hierarchical.
"""

_base_ = [
    '_base_/models/hicmae_base_pretrain.py',
    '_base_/datasets/voxceleb2_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

model = dict(contrastive=dict(layers=(9,)))
default_hooks = dict(checkpoint=dict(interval=5))
