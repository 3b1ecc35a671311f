"""HiCMAE base, pre-training on VoxCeleb2 dev with another weight of the contrast; batch 160, 100 epochs.

CONTRAST_WEIGHT=0.01 tools/dist_train.sh configs/hicmae_base_contrastweight_pretrain_voxceleb2.py 4 --amp

Sweep: CONTRAST_WEIGHT is the factor of the contrastive loss (default 0.0025, as published).
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

model = dict(contrastive=dict(loss=dict(loss_weight=float('{{$CONTRAST_WEIGHT:0.0025}}'))))
work_dir = 'work_dirs/hicmae_base_contrastweight_pretrain_voxceleb2/{{$CONTRAST_WEIGHT:0.0025}}'
