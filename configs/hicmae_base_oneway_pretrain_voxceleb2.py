"""HiCMAE base, pre-training on VoxCeleb2 dev with fusion in one direction; batch 160, 100 epochs.

FUSION_UPDATES=audio tools/dist_train.sh configs/hicmae_base_oneway_pretrain_voxceleb2.py 4 --amp

Ablation: only the stream FUSION_UPDATES (default audio) attends to the other, which passes the fusion unchanged.
"""

_base_ = [
    '_base_/models/hicmae_base_pretrain.py',
    '_base_/datasets/voxceleb2_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

model = dict(fusion=dict(updates=('{{$FUSION_UPDATES:audio}}',)))
work_dir = 'work_dirs/hicmae_base_oneway_pretrain_voxceleb2_{{$FUSION_UPDATES:audio}}'
default_hooks = dict(checkpoint=dict(interval=5))
