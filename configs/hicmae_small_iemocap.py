"""HiCMAE small, fine-tuning on IEMOCAP, 4 emotions; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_small_iemocap.py 4 --amp --cfg-options load_from=PRETRAINED.pth

All but the size is hicmae_base_iemocap.py's.

Published UAR 67.46 (third parties' listings of the paper's tables, docs/reproduction.md): not yet reproduced here.
"""

_base_ = 'hicmae_base_iemocap.py'

model = dict(
    encoders=dict(video=dict(embed_dims=384, num_heads=6), audio=dict(embed_dims=384, num_heads=6)),
    fusion=dict(num_heads=6),
)
work_dir = 'work_dirs/hicmae_small_iemocap/fold{{$FOLD:1}}'
