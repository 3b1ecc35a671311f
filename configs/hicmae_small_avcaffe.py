"""HiCMAE small, fine-tuning on AVCAffe, arousal or valence; batch 56, 30 epochs.

tools/dist_train.sh configs/hicmae_small_avcaffe.py 4 --amp --cfg-options load_from=PRETRAINED.pth

All but the size is hicmae_base_avcaffe.py's. The published numbers for this size are not on record here
(docs/reproduction.md).
"""

_base_ = 'hicmae_base_avcaffe.py'

model = dict(
    encoders=dict(video=dict(embed_dims=384, num_heads=6), audio=dict(embed_dims=384, num_heads=6)),
    fusion=dict(num_heads=6),
)
work_dir = 'work_dirs/hicmae_small_avcaffe/{{$AVCAFFE_TARGET:arousal}}'
