"""HiCMAE base, fine-tuning on DFEW, 7 emotions; batch 56, 100 epochs.

tools/dist_train.sh configs/hicmae_base_dfew.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs. The number of epochs is our choice, as for MAFW.

Published WAR 75.01 (third parties' listings of the paper's tables, docs/reproduction.md): not yet reproduced here.
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/dfew.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=7)), head=dict(num_classes=7))
train_cfg = dict(max_epochs=100)
work_dir = 'work_dirs/hicmae_base_dfew/fold{{$FOLD:1}}'
