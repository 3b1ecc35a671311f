"""HiCMAE base, pre-training on the pictures of VoxCeleb2 dev alone; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_video_pretrain_voxceleb2.py 4 --amp

There is nothing to fuse and nothing to contrast: masked patches are reconstructed from the visible ones. The checkpoint
is for ``hicmae_base_video_cremad.py``. There is no published number.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

streams = ('video',)
model = dict(
    encoders=dict(_delete_=True, video={{_base_.model.encoders.video}}),
    decoders=dict(_delete_=True, video={{_base_.model.decoders.video}}),
    heads=dict(_delete_=True, video={{_base_.model.heads.video}}),
    fusion=None,
    contrastive=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
