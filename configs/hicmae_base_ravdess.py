"""HiCMAE base, fine-tuning on RAVDESS, 8 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_ravdess.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 6 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs. The number of epochs is our choice, as for CREMA-D.

Published WAR 87.99 (third parties' listings of the paper's tables, docs/reproduction.md): not yet reproduced here.
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/ravdess.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=8)), head=dict(num_classes=8))
work_dir = 'work_dirs/hicmae_base_ravdess/fold{{$FOLD:1}}'
