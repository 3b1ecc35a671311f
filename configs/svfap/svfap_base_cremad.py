"""SVFAP base, fine-tuning on CREMA-D, 6 emotions, picture alone; batch 64, 100 epochs.

tools/dist_train.sh configs/svfap/svfap_base_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

FOLD=1 to 5 in the environment chooses the fold (default 1). The learning rate is 1e-3 * total batch / 256
on any number of GPUs, with 16 clips on each of 4 as published.
The authors published no script for this corpus: the recipe is that of DFEW.

The published numbers of this corpus are in the paper: none is quoted here.
"""

_base_ = ['../_base_/svfap_base_classification.py', '../_base_/datasets/cremad.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=6)), head=dict(num_classes=6))
streams = ('video',)
train_dataloader = dict(batch_size=16, dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
work_dir = 'work_dirs/svfap_base_cremad/fold{{$FOLD:1}}'
