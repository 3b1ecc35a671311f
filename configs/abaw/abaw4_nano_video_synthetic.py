"""ABAW4 nano with the pictures alone: three tasks in every frame of synthetic recordings; 8 epochs.

python tools/train.py configs/abaw/abaw4_nano_video_synthetic.py

Media first: ``python tools/dataset_converters/make_synthetic.py --out data/synthetic --recordings``. It shows what the
other stream adds to abaw4_nano_synthetic.py. Not a published size: there is no published number.
"""

_base_ = ['./abaw4_nano_synthetic.py']

pack = dict(type='PackStreams', arrays=('video',), meta_keys=('first_frame',))
train_dataloader = dict(dataset=dict(pipeline=[*_base_.train_pipeline[:-1], pack]))
val_dataloader = dict(dataset=dict(pipeline=[*_base_.test_pipeline[:-1], pack]))
test_dataloader = dict(dataset=dict(pipeline=[*_base_.test_pipeline[:-1], pack]))
model = dict(
    encoders=dict(
        _delete_=True,
        video=dict(type='TimmEncoder', name='test_convnext', tokens='frames'),
    )
)
