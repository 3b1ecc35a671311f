"""HiCMAE base, fine-tuning on CREMA-D for clips that may lack a stream; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_dropstream_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

Every third clip loses its picture or its sound while training (modality dropout), at random. Test it complete, and with
tools/test.py --drop-modality video or audio. Not part of HiCMAE: there is no published number.
"""

_base_ = 'hicmae_base_cremad.py'

model = dict(missing_streams='zero')
drop = dict(type='DropStream', stream=('video', 'audio'), prob=1 / 3)
train_dataloader = dict(dataset=dict(pipeline=[drop, *_base_.train_pipeline]))
find_unused_parameters = True  # all clips of a batch may have lost the same stream
work_dir = 'work_dirs/hicmae_base_dropstream_cremad/fold{{$FOLD:1}}'
