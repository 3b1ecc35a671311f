"""HiCMAE base, pre-training on VoxCeleb2 dev with fusion in one direction; batch 160, 100 epochs.

FUSION_UPDATES=audio tools/dist_train.sh configs/hicmae_base_oneway_pretrain_voxceleb2.py 4 --amp

Ablation: only the stream FUSION_UPDATES (default audio) attends to the other, which passes the fusion unchanged.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

model = dict(fusion=dict(updates=('{{$FUSION_UPDATES:audio}}',)))
work_dir = 'work_dirs/hicmae_base_oneway_pretrain_voxceleb2_{{$FUSION_UPDATES:audio}}'
