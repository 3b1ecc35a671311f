"""MAE-DFER base, fine-tuning on MAFW, 11 emotions, picture alone; batch 64, 100 epochs.

tools/dist_train.sh configs/mae_dfer/mae_dfer_base_mafw.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256
on any number of GPUs, with 16 clips on each of 4 as published.

Published UAR / WAR over all folds: 41.62 / 54.31 (paper): not yet reproduced here.
"""

_base_ = ['../_base_/mae_dfer_base_classification.py', '../_base_/datasets/mafw.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=11)), head=dict(num_classes=11))
streams = ('video',)
train_dataloader = dict(batch_size=16, dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
work_dir = 'work_dirs/mae_dfer_base_mafw/fold{{$FOLD:1}}'
