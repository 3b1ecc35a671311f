"""HiCMAE tiny, fine-tuning on IEMOCAP, 4 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_tiny_iemocap.py 4 --amp --cfg-options load_from=PRETRAINED.pth

All but the size is hicmae_base_iemocap.py's.

Published UAR 66.85 (third parties' listings of the paper's tables, docs/reproduction.md): not yet reproduced here.
"""

_base_ = 'hicmae_base_iemocap.py'

model = dict(
    encoders=dict(video=dict(embed_dims=256, num_heads=4), audio=dict(embed_dims=256, num_heads=4)),
    fusion=dict(num_heads=4),
)
work_dir = 'work_dirs/hicmae_tiny_iemocap/fold{{$FOLD:1}}'
