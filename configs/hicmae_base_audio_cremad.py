"""HiCMAE base, fine-tuning on CREMA-D, 6 emotions, sound alone; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_audio_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

From the checkpoint that was pre-trained on both streams: one encoder, nothing to fuse, and the videos are not even opened.
The classifier takes the layer mix and the pooled top layer (``model.aggregator.pool_fused=False``: the mix alone). FOLD
as in hicmae_base_cremad.py. There is no published number for this corpus.
"""

_base_ = 'hicmae_base_cremad.py'

streams = ('audio',)
model = dict(
    encoders=dict(_delete_=True, audio={{_base_.model.encoders.audio}}),
    fusion=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
work_dir = 'work_dirs/hicmae_base_audio_cremad/fold{{$FOLD:1}}'
