"""FERV39k, 7 emotions: folders of face frames, picture alone, the corpus's own training and test clips.

``tools/dataset_converters/ferv39k.py`` writes ``fold1/{train,test}.csv`` into ``data/ferv39k`` (another folder:
``FERV39K_ROOT`` in the environment). A clip is 16 consecutive frames, and the best epoch is chosen on the test clips, as
published.
"""

_base_ = './finetuning.py'

streams = ('video',)
# this corpus is sampled at every frame
train_pipeline = [dict(t, frame_interval=1) if t['type'] == 'SampleClips' else t for t in _base_.train_pipeline]
test_pipeline = [dict(t, frame_interval=1) if t['type'] == 'SampleClips' else t for t in _base_.test_pipeline]
train_dataloader = dict(
    dataset=dict(
        type='FERV39k',
        data_root='{{$FERV39K_ROOT:data/ferv39k}}',
        ann_file='fold1/train.csv',
        streams=streams,
        pipeline=train_pipeline,
    )
)
val_dataloader = dict(
    dataset=dict(
        type='FERV39k',
        data_root='{{$FERV39K_ROOT:data/ferv39k}}',
        ann_file='fold1/test.csv',
        streams=streams,
        pipeline=test_pipeline,
    )
)
test_dataloader = val_dataloader
