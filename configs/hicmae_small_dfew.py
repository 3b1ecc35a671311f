"""HiCMAE small, fine-tuning on DFEW, 7 emotions; batch 56, 100 epochs.

tools/dist_train.sh configs/hicmae_small_dfew.py 4 --amp --cfg-options load_from=PRETRAINED.pth

All but the size is hicmae_base_dfew.py's. The published numbers for this size are not on record here
(docs/reproduction.md).
"""

_base_ = 'hicmae_base_dfew.py'

model = dict(
    encoders=dict(video=dict(embed_dims=384, num_heads=6), audio=dict(embed_dims=384, num_heads=6)),
    fusion=dict(num_heads=6),
)
work_dir = 'work_dirs/hicmae_small_dfew/fold{{$FOLD:1}}'
