"""MMA-DFER on MAFW, 11 emotions; frozen MAE-Face and AudioMAE, 7.6 M trained parameters; batch 8, 25 epochs.

python tools/train.py configs/mma_dfer/mma_dfer_base_mafw.py --cfg-options load_from=work_dirs/encoders.pth

The file holds both pre-trained encoders (docs/systems/mma_dfer.md). FOLD=1 to 5 in the environment chooses the fold
(default 1). Published recipe: AdamW 1e-4 with weight decay 1e-2 on everything, cosine per epoch to 0, colour jitter,
random crop and flip, 16 segments of the video, 512 frames of sound, the last epoch.

Published UAR / WAR 44.25 / 58.45, mean of five folds: not yet reproduced here.
"""

_base_ = './mma_dfer_base_dfew.py'

mafw = dict(type='MAFW', data_root='{{$MAFW_ROOT:data/mafw}}')
model = dict(head=dict(num_classes=11))
train_dataloader = dict(dataset=dict(mafw, ann_file='fold{{$FOLD:1}}/train.csv'))
val_dataloader = dict(dataset=dict(mafw, ann_file='fold{{$FOLD:1}}/test.csv'))
test_dataloader = val_dataloader
work_dir = 'work_dirs/mma_dfer_base_mafw/fold{{$FOLD:1}}'
