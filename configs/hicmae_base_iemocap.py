"""HiCMAE base, fine-tuning on IEMOCAP, 4 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_iemocap.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256 on any number
of GPUs. The number of epochs is not on record here; 50 is that of CREMA-D.

Published UAR 68.21, WAR 68.36 (third parties' listings of the paper's tables, docs/reproduction.md): not yet reproduced
here.
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/iemocap.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=4)), head=dict(num_classes=4))
work_dir = 'work_dirs/hicmae_base_iemocap/fold{{$FOLD:1}}'
