"""HiCMAE base, CREMA-D, 6 emotions, encoders frozen: fusion, layer mix and head are trained; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_frozen_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

Frozen encoders drop no path and store nothing for the backward pass. All else is the recipe of fine-tuning. FOLD as in
hicmae_base_cremad.py. There is no published number.
"""

_base_ = 'hicmae_base_cremad.py'

model = dict(frozen=('encoders',))
work_dir = 'work_dirs/hicmae_base_frozen_cremad/fold{{$FOLD:1}}'
