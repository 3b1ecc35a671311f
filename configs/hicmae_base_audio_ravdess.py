"""HiCMAE base, fine-tuning on RAVDESS, 8 emotions, sound alone; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_audio_ravdess.py 4 --amp --cfg-options load_from=PRETRAINED.pth

As hicmae_base_audio_cremad.py: one encoder of the checkpoint that was pre-trained on both streams, nothing to fuse. FOLD
as in hicmae_base_ravdess.py. Only the sound has to be there (``ravdess.py --streams audio``).

Published WAR 72.29 (third parties' listings of the paper's tables, docs/reproduction.md): not yet reproduced here.
"""

_base_ = 'hicmae_base_ravdess.py'

streams = ('audio',)
model = dict(
    encoders=dict(_delete_=True, audio={{_base_.model.encoders.audio}}),
    fusion=None,
)
train_dataloader = dict(dataset=dict(streams=streams))
val_dataloader = dict(dataset=dict(streams=streams))
test_dataloader = val_dataloader
work_dir = 'work_dirs/hicmae_base_audio_ravdess/fold{{$FOLD:1}}'
