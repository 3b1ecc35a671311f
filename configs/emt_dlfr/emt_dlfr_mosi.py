"""EMT-DLFR on CMU-MOSI, sentiment from -3 to 3 by text, sound and picture; batch 32, 100 epochs.

python tools/train.py configs/emt_dlfr/emt_dlfr_mosi.py

Width 128, 3 layers and 4 heads, all weights shared, both weights of the restoration 1: as published. The publication
fine-tunes BERT; here its features are frozen. Widths of the LSTMs and of the last layers, learning rate and epochs are
choices of this project. ``MOSI_ROOT`` in the environment is another folder than ``data/mosi``.

The published numbers are not on record here.
"""

_base_ = [
    '../_base_/models/emt_dlfr.py',
    '../_base_/datasets/sentiment_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

data_root = '{{$MOSI_ROOT:data/mosi}}'
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
default_hooks = dict(checkpoint=dict(save_best='MAE', rule='less'))
work_dir = 'work_dirs/emt_dlfr_mosi'
