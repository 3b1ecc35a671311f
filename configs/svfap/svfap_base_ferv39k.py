"""SVFAP base, fine-tuning on FERV39k, 7 emotions, picture alone; batch 64, 100 epochs, 16 consecutive frames.

tools/dist_train.sh configs/svfap/svfap_base_ferv39k.py 4 --amp --cfg-options load_from=PRETRAINED.pth

The learning rate is 1e-3 * total batch / 256 on any number of GPUs, with 16 clips on each of 4 as published.

Published UAR / WAR: 43.05 / 52.86 (the authors' repeated run; the paper says 42.14 / 52.29): not yet reproduced here.
"""

_base_ = ['../_base_/svfap_base_classification.py', '../_base_/datasets/ferv39k.py']

train_dataloader = dict(batch_size=16)
work_dir = 'work_dirs/svfap_base_ferv39k'
