"""HiCMAE base, pre-training on VoxCeleb2 dev from shards (docs/shards.md); else as hicmae_base_pretrain_voxceleb2.py.

tools/dist_train.sh configs/hicmae_base_pretrain_voxceleb2_shards.py 4 --amp

The learning rate is 3e-4 * total batch / 256 on any number of GPUs. There is no published number for this stage.
"""

_base_ = [
    '_base_/models/hicmae_base_pretrain.py',
    '_base_/datasets/voxceleb2_shards_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=5))
