"""HiCMAE base, pre-training on VoxCeleb2 dev without contrast; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_nocontrast_pretrain_voxceleb2.py 4 --amp

Ablation: reconstruction alone.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

model = dict(contrastive=None)
