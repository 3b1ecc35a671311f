"""Text, sound and picture by frozen RoBERTa, wav2vec 2.0 and CLIP on CREMA-D, 6 emotions; batch 16, 20 epochs.

python tools/train.py configs/frozen_streams/frozen_streams_cremad.py

README.md of this folder says how to get models and tables. The words are one of twelve sentences, which every emotion
has, so that they tell nothing by themselves. FOLD=1 to 5 chooses the fold (default 1). There is no published number.
"""

_base_ = [
    '../_base_/models/frozen_streams.py',
    '../_base_/datasets/text_audio_video.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

cremad = dict(type='CREMAD', data_root='{{$CREMAD_ROOT:data/cremad}}')
model = dict(head=dict(num_classes=6))
train_dataloader = dict(dataset=dict(cremad, ann_file='fold{{$FOLD:1}}/train.csv'))
val_dataloader = dict(dataset=dict(cremad, ann_file='fold{{$FOLD:1}}/test.csv'))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=20)
default_hooks = dict(checkpoint=dict(save_best='UAR', save_trainable_only=True))
work_dir = 'work_dirs/frozen_streams_cremad/fold{{$FOLD:1}}'
