"""HiCMAE base, fine-tuning on CREMA-D without hierarchical feature fusion; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_nohff_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

Ablation: the classifier takes the pooled fused tokens alone, no layers are mixed. Pre-trained without skips and contrast
(hicmae_base_plain_pretrain_voxceleb2.py), it is the model with none of the three. FOLD as in hicmae_base_cremad.py.
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
work_dir = 'work_dirs/hicmae_base_nohff_cremad/fold{{$FOLD:1}}'
