"""M2FNet on MELD, 7 emotions of utterances in dialogues, by features; 16 dialogues per batch, 100 epochs.

python tools/train.py configs/m2fnet/m2fnet_meld.py

Features of words, sound and picture of every utterance, below data/meld (another folder: MELD_ROOT in the environment);
``in_channels`` of each encoder is their length. The best epoch is chosen by weighted F1 on the development dialogues.
Widths, depths, dropout, learning rate and epochs are choices of this project.

Weighted F1 of 66.71 is attributed to the publication. It is unchecked, and not yet reproduced here.
"""

_base_ = [
    '../_base_/models/m2fnet.py',
    '../_base_/datasets/conversation_features.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

meld = dict(type='MELD', data_root='{{$MELD_ROOT:data/meld}}')
train_dataloader = dict(dataset=dict(meld, ann_file='fold1/train.csv'))
val_dataloader = dict(dataset=dict(meld, ann_file='fold1/dev.csv'))
test_dataloader = dict(dataset=dict(meld, ann_file='fold1/test.csv'))
optim_wrapper = dict(optimizer=dict(lr=1e-4))
default_hooks = dict(checkpoint=dict(save_best='weighted_f1'))
work_dir = 'work_dirs/m2fnet_meld'
