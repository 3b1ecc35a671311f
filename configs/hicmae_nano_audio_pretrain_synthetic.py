"""HiCMAE nano, pre-training on the sound of synthetic talking faces alone; batch 16, 20 epochs.

python tools/train.py configs/hicmae_nano_audio_pretrain_synthetic.py

There is nothing to fuse and nothing to contrast: masked patches are reconstructed from the visible ones. The checkpoint
is for ``hicmae_nano_audio_synthetic.py``. Not a published size: there is no published number.
"""

_base_ = 'hicmae_nano_pretrain_synthetic.py'

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
