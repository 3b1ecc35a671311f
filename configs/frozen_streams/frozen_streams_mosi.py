"""Text, sound and picture by frozen RoBERTa, wav2vec 2.0 and CLIP on CMU-MOSI, sentiment; batch 16, 20 epochs.

python tools/train.py configs/frozen_streams/frozen_streams_mosi.py

README.md of this folder says how to get models and tables. The head predicts the sentiment, -3 to 3, with the loss and
the measures of configs/emt_dlfr. The best epoch is chosen on the validation clips. There is no published number.
"""

_base_ = ['./frozen_streams_cremad.py']

mosi = dict(type='MOSI', data_root='{{$MOSI_ROOT:data/mosi}}')
model = dict(
    head=dict(_delete_=True, type='RegressionHead', num_outputs=1, init_scale=1.0, loss=dict(type='L1Loss')),
)
train_dataloader = dict(dataset=dict(mosi, ann_file='fold1/train.csv'))
val_dataloader = dict(dataset=dict(mosi, ann_file='fold1/valid.csv'))
test_dataloader = dict(dataset=dict(mosi, ann_file='fold1/test.csv'))
val_evaluator = dict(type='RegressionMetric', sentiment='mosi')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='MAE', rule='less'))
work_dir = 'work_dirs/frozen_streams_mosi'
