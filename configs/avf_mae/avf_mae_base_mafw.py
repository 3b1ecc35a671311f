"""AVF-MAE++ base, fine-tuning on MAFW, 11 emotions; batch 160 on 40 GPUs, 100 epochs.

tools/dist_train.sh configs/avf_mae/avf_mae_base_mafw.py 8 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs, with 4 clips on each.

The published numbers of this size are not on record here.
"""

_base_ = [
    '../_base_/models/avf_mae_base_finetune.py',
    '../_base_/datasets/mafw.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=11)), head=dict(num_classes=11))
train_dataloader = dict(batch_size=4)
train_cfg = dict(max_epochs=100)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/avf_mae_base_mafw/fold{{$FOLD:1}}'
