"""The synthetic corpus by sequences of features, a vector per time step and one of all words; emotion and valence.

As ``synthetic_features.py``. ``DropVectors`` in the test takes vectors away at a missing rate, which is 0 by default:
``--cfg-options test_dataloader.dataset.pipeline.3.rate=0.5``.
"""

_base_ = ['./synthetic_features.py']

streams = ('audio', 'text', 'video')
pack = dict(type='PackStreams', arrays=(), sequences=dict(audio='audio', text='text', video='video'), optional=True)
drop = dict(type='DropVectors', streams=streams, rate=0.0)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='LoadFeature', stream='audio', source='features/train_steps', column='audio_layer3', level='frame'
            ),
            dict(type='LoadFeature', stream='text', source='features/train', column='text_layer1', level='frame'),
            dict(
                type='LoadFeature', stream='video', source='features/train_steps', column='video_layer3', level='frame'
            ),
            pack,
        ],
    ),
)
val_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(
                type='LoadFeature', stream='audio', source='features/test_steps', column='audio_layer3', level='frame'
            ),
            dict(type='LoadFeature', stream='text', source='features/test', column='text_layer1', level='frame'),
            dict(
                type='LoadFeature', stream='video', source='features/test_steps', column='video_layer3', level='frame'
            ),
            drop,
            pack,
        ],
    ),
)
test_dataloader = val_dataloader
