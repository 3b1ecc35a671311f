"""HiCMAE nano, fine-tuning on synthetic talking faces, 6 emotions, picture alone; batch 16, 20 epochs.

python tools/train.py configs/hicmae_nano_video_synthetic.py --cfg-options load_from=PRETRAINED.pth

One encoder and nothing to fuse; the sound is not even opened. Not a published size: there is no published number.
"""

_base_ = 'hicmae_nano_synthetic.py'

streams = ('video',)
model = dict(
    encoders=dict(_delete_=True, video={{_base_.model.encoders.video}}),
    fusion=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
