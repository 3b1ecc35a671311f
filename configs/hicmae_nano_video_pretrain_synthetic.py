"""HiCMAE nano, pre-training on the pictures of synthetic talking faces alone; batch 16, 20 epochs.

python tools/train.py configs/hicmae_nano_video_pretrain_synthetic.py

There is nothing to fuse and nothing to contrast: masked patches are reconstructed from the visible ones. The checkpoint
is for ``hicmae_nano_video_synthetic.py``. Not a published size: there is no published number.
"""

_base_ = 'hicmae_nano_pretrain_synthetic.py'

streams = ('video',)
model = dict(
    encoders=dict(_delete_=True, video={{_base_.model.encoders.video}}),
    decoders=dict(_delete_=True, video={{_base_.model.decoders.video}}),
    heads=dict(_delete_=True, video={{_base_.model.heads.video}}),
    fusion=None,
    contrastive=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
