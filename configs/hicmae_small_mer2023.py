"""HiCMAE small, fine-tuning on MER2023 (MER-MULTI), 6 emotions and valence; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_small_mer2023.py 4 --amp --cfg-options load_from=PRETRAINED.pth

All but the size is hicmae_base_mer2023.py's. The published numbers for this size are not on record here
(docs/reproduction.md).
"""

_base_ = 'hicmae_base_mer2023.py'

model = dict(
    encoders=dict(video=dict(embed_dims=384, num_heads=6), audio=dict(embed_dims=384, num_heads=6)),
    fusion=dict(num_heads=6),
)
work_dir = 'work_dirs/hicmae_small_mer2023'
