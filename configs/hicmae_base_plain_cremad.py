"""HiCMAE base without skips, contrast and feature fusion, fine-tuning on CREMA-D; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_plain_cremad.py 4 --amp --cfg-options load_from=PLAIN.pth

Ablation, all three off: PLAIN.pth is the result of hicmae_base_plain_pretrain_voxceleb2.py. FOLD as in
hicmae_base_cremad.py.
"""

_base_ = 'hicmae_base_cremad.py'

model = dict(aggregator=dict(type='MeanPoolAggregator'))
work_dir = 'work_dirs/hicmae_base_plain_cremad/fold{{$FOLD:1}}'
