"""Text, sound and picture by frozen RoBERTa, wav2vec 2.0 and CLIP on CMU-MOSEI, sentiment; batch 16, 20 epochs.

python tools/train.py configs/frozen_streams/frozen_streams_mosei.py

README.md of this folder says how to get models and tables. What frozen_streams_mosi.py says holds here as well. There
is no published number.
"""

_base_ = ['./frozen_streams_mosi.py']

mosei = dict(type='MOSEI', data_root='{{$MOSEI_ROOT:data/mosei}}')
train_dataloader = dict(dataset=mosei)
val_dataloader = dict(dataset=mosei)
test_dataloader = dict(dataset=mosei)
work_dir = 'work_dirs/frozen_streams_mosei'
