"""HiCMAE small, fine-tuning on Werewolf-XL, 3 dimensions; batch 128, 30 epochs.

tools/dist_train.sh configs/hicmae_small_werewolf_xl.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs. As in the published script: MSE loss, no mixing of clips, the best epoch by CCC.

The published numbers for this size and task are not on record here (docs/reproduction.md).
"""

_base_ = [
    '_base_/models/hicmae_small_finetune.py',
    '_base_/datasets/werewolf_xl.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

model = dict(head=dict(_delete_=True, type='RegressionHead', num_outputs=3, loss=dict(type='MSELoss')))
train_cfg = dict(max_epochs=30)
default_hooks = dict(checkpoint=dict(save_best='CCC', rule='greater'))
work_dir = 'work_dirs/hicmae_small_werewolf_xl/fold{{$FOLD:1}}'
