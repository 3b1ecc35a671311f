"""VAEmo base, first stage on VoxCeleb2: masked reconstruction and contrast; batch 160, 100 epochs.

tools/dist_train.sh configs/vaemo/vaemo_base_pretrain_voxceleb2.py 4 --amp

The paper's code, sizes and schedule are not public: size and recipe are ours, on HiCMAE's schedule
(docs/systems/vaemo.md).
"""

_base_ = [
    '../_base_/models/vaemo_base_pretrain.py',
    '../_base_/datasets/voxceleb2_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

work_dir = 'work_dirs/vaemo_base_pretrain_voxceleb2'
