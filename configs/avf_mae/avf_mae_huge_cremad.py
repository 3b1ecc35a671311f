"""AVF-MAE++ huge, fine-tuning on CREMA-D, 6 emotions; batch 160 on 40 GPUs, 100 epochs.

tools/dist_train.sh configs/avf_mae/avf_mae_huge_cremad.py 8 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs, with 4 clips on each.

Published UAR / WAR 86.02 / 85.95 over all folds: not yet reproduced here.
"""

_base_ = [
    '../_base_/models/avf_mae_huge_finetune.py',
    '../_base_/datasets/cremad.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=100)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/avf_mae_huge_cremad/fold{{$FOLD:1}}'
