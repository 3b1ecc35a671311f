"""HiCMAE base, fine-tuning on MAFW, 11 emotions; batch 56, 100 epochs.

tools/dist_train.sh configs/hicmae_base_mafw.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs.

Published UAR / WAR of folds 1 to 5: 36.02 / 47.60, 41.57 / 55.10, 46.46 / 60.10, 47.50 / 63.09, 41.88 / 55.22; all
folds 42.69 / 56.21: not yet reproduced here.
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/mafw.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=11)), head=dict(num_classes=11))
train_cfg = dict(max_epochs=100)
work_dir = 'work_dirs/hicmae_base_mafw/fold{{$FOLD:1}}'
