"""Text, sound and picture by frozen RoBERTa, wav2vec 2.0 and CLIP on MELD, 7 emotions; batch 16, 20 epochs.

python tools/train.py configs/frozen_streams/frozen_streams_meld.py

README.md of this folder says how to get models and tables. Every utterance is recognised without its dialogue;
configs/m2fnet uses it. The best epoch is chosen on the development utterances. There is no published number.
"""

_base_ = ['./frozen_streams_cremad.py']

meld = dict(type='MELD', data_root='{{$MELD_ROOT:data/meld}}')
model = dict(head=dict(num_classes=7))
train_dataloader = dict(dataset=dict(meld, ann_file='fold1/train.csv'))
val_dataloader = dict(dataset=dict(meld, ann_file='fold1/dev.csv'))
test_dataloader = dict(dataset=dict(meld, ann_file='fold1/test.csv'))
default_hooks = dict(checkpoint=dict(save_best='weighted_f1'))
work_dir = 'work_dirs/frozen_streams_meld'
