"""HiCMAE base, fine-tuning on CREMA-D, 6 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs.

Published UAR / WAR of folds 1 to 5: 86.66 / 86.67, 83.27 / 83.20, 87.23 / 87.19, 83.70 / 83.79, 83.88 / 83.79; all
folds 84.94 / 84.91: not yet reproduced here.
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/cremad.py']

work_dir = 'work_dirs/hicmae_base_cremad/fold{{$FOLD:1}}'
