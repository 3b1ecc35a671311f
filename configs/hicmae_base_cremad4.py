"""HiCMAE base, fine-tuning on CREMA-D, 4 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_cremad4.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs.

The published numbers for this size and task are not on record here (docs/reproduction.md).
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/cremad4.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=4)), head=dict(num_classes=4))
work_dir = 'work_dirs/hicmae_base_cremad4/fold{{$FOLD:1}}'
