"""HiCMAE small, fine-tuning on AVCAffe, arousal or valence; batch 56, 30 epochs.

tools/dist_train.sh configs/hicmae_small_avcaffe.py 4 --amp --cfg-options load_from=PRETRAINED.pth

AVCAFFE_TARGET=arousal or valence in the environment chooses what is predicted (default arousal). The learning rate is
1e-3 * total batch / 256 on any number of GPUs. The number of epochs is our choice, as for Werewolf-XL.

The published numbers for this size and task are not on record here (docs/reproduction.md).
"""

_base_ = [
    '_base_/models/hicmae_small_finetune.py',
    '_base_/datasets/avcaffe.py',
    '_base_/schedules/finetune.py',
    '_base_/default_runtime.py',
]

model = dict(
    data_preprocessor=dict(
        batch_augment=dict(type='MixupCutmix', num_classes=5, mixup_alpha=0.8, cutmix_alpha=1.0, switch_prob=0.5)
    ),
    head=dict(num_classes=5),
)
train_cfg = dict(max_epochs=30)
default_hooks = dict(checkpoint=dict(save_best='weighted_f1', rule='greater'))
work_dir = 'work_dirs/hicmae_small_avcaffe/{{$AVCAFFE_TARGET:arousal}}'
