"""SVFAP base, fine-tuning on Werewolf-XL, 3 dimensions, picture alone; batch 64, 30 epochs.

tools/dist_train.sh configs/svfap/svfap_base_werewolf_xl.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The authors published no script for this corpus: loss, epochs
and the choice of the best epoch by CCC are those of HiCMAE's script, the rest is SVFAP's recipe of DFEW. The published
numbers are in the paper: none is quoted here.
"""

_base_ = ['../_base_/svfap_base_classification.py', '../_base_/datasets/werewolf_xl.py']

model = dict(
    data_preprocessor=dict(batch_augment=None),
    head=dict(_delete_=True, type='RegressionHead', num_outputs=3, loss=dict(type='MSELoss')),
)
streams = ('video',)
train_dataloader = dict(batch_size=16, dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=30)
default_hooks = dict(checkpoint=dict(save_best='CCC', rule='greater'))
work_dir = 'work_dirs/svfap_base_werewolf_xl/fold{{$FOLD:1}}'
