"""HiCMAE nano, fine-tuning on synthetic talking faces, 6 emotions, sound alone; batch 16, 20 epochs.

python tools/train.py configs/hicmae_nano_audio_synthetic.py --cfg-options load_from=PRETRAINED.pth

One encoder and nothing to fuse; the videos are not even opened. Not a published size: there is no published number.
"""

_base_ = 'hicmae_nano_synthetic.py'

streams = ('audio',)
model = dict(
    encoders=dict(_delete_=True, audio={{_base_.model.encoders.audio}}),
    fusion=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
