"""MAE-DFER base, fine-tuning on FERV39k, 7 emotions, picture alone; batch 120, 100 epochs, 16 consecutive frames.

tools/dist_train.sh configs/mae_dfer/mae_dfer_base_ferv39k.py 3 --amp --cfg-options load_from=PRETRAINED.pth

The learning rate is 1e-3 * total batch / 256 on any number of GPUs, with 40 clips on each of 3 as published.

Published UAR / WAR: 43.12 / 52.07 (paper): not yet reproduced here.
"""

_base_ = ['../_base_/mae_dfer_base_classification.py', '../_base_/datasets/ferv39k.py']

train_dataloader = dict(batch_size=40)
work_dir = 'work_dirs/mae_dfer_base_ferv39k'
