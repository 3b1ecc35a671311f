"""HiCMAE base, pre-training on VoxCeleb2 dev with contrast on the last layer alone; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_lastcontrast_pretrain_voxceleb2.py 4 --amp

Ablation: contrast that is not hierarchical.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

model = dict(contrastive=dict(layers=(9,)))
