"""HiCMAE base without skips, contrast and feature fusion, fine-tuning on CREMA-D; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_plain_cremad.py 4 --amp --cfg-options load_from=PLAIN.pth

Ablation, all three off: PLAIN.pth is the result of hicmae_base_plain_pretrain_voxceleb2.py. FOLD as in
hicmae_base_cremad.py.
"""

_base_ = [
    '_base_/models/hicmae_base_finetune.py',
    '_base_/datasets/cremad.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=6, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    aggregator=dict(type='MeanPoolAggregator'),
)
default_hooks = dict(checkpoint=dict(save_best='UAR', rule='greater'))
work_dir = 'work_dirs/hicmae_base_plain_cremad/fold{{$FOLD:1}}'
