"""HiCMAE small, pre-training on VoxCeleb2 dev (384 wide); batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_small_pretrain_voxceleb2.py 4 --amp

The learning rate is 3e-4 * total batch / 256 on any number of GPUs. There is no published number for this stage.
"""

_base_ = [
    '_base_/models/hicmae_small_pretrain.py',
    '_base_/datasets/voxceleb2_pretrain.py',
    '_base_/schedules/pretrain.py',
    '_base_/default_runtime.py',
]

default_hooks = dict(checkpoint=dict(interval=5))
