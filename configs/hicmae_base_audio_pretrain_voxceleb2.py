"""HiCMAE base, pre-training on the sound of VoxCeleb2 dev alone; batch 160, 100 epochs.

tools/dist_train.sh configs/hicmae_base_audio_pretrain_voxceleb2.py 4 --amp

There is nothing to fuse and nothing to contrast: masked patches are reconstructed from the visible ones. The checkpoint
is for ``hicmae_base_audio_cremad.py``. There is no published number.
"""

_base_ = 'hicmae_base_pretrain_voxceleb2.py'

streams = ('audio',)
model = dict(
    encoders=dict(_delete_=True, audio={{_base_.model.encoders.audio}}),
    decoders=dict(_delete_=True, audio={{_base_.model.decoders.audio}}),
    heads=dict(_delete_=True, audio={{_base_.model.heads.audio}}),
    fusion=None,
    contrastive=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
optim_wrapper = dict(paramwise_cfg=dict(no_decay=()))  # only the mask token of the picture had no weight decay
