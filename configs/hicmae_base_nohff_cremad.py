"""HiCMAE base, fine-tuning on CREMA-D without hierarchical feature fusion; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_nohff_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

Ablation: the classifier takes the pooled fused tokens alone, no layers are mixed. Pre-trained without skips and contrast
(hicmae_base_plain_pretrain_voxceleb2.py), it is the model with none of the three. FOLD as in hicmae_base_cremad.py.
"""

_base_ = 'hicmae_base_cremad.py'

model = dict(aggregator=dict(type='MeanPoolAggregator'))
work_dir = 'work_dirs/hicmae_base_nohff_cremad/fold{{$FOLD:1}}'
