"""HiCMAE tiny, fine-tuning on RAVDESS, 8 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_tiny_ravdess.py 4 --amp --cfg-options load_from=PRETRAINED.pth

All but the size is hicmae_base_ravdess.py's. The published numbers for this size are not on record here
(docs/reproduction.md).
"""

_base_ = 'hicmae_base_ravdess.py'

model = dict(
    encoders=dict(video=dict(embed_dims=256, num_heads=4), audio=dict(embed_dims=256, num_heads=4)),
    fusion=dict(num_heads=4),
)
work_dir = 'work_dirs/hicmae_tiny_ravdess/fold{{$FOLD:1}}'
