"""HiCMAE nano on synthetic talking faces, 6 emotions, picture, sound and words; batch 16, 12 epochs from scratch.

python tools/train.py configs/hicmae_nano_text_synthetic.py

Tables with a column of text instead of lists of two files. One transformer fuses the three streams, and clips may lack
any of them. With ``--cfg-options load_from=PRETRAINED.pth`` the encoders of picture and sound start from the
quickstart's pre-training. Not a published size: there is no published number.
"""

_base_ = 'hicmae_nano_synthetic.py'

streams = ('video', 'audio', 'text')
words = [
    dict(type='Tokenize', vocabulary='words.txt'),
    dict(type='PackStreams', arrays=('video', 'audio'), sequences=dict(text='text_ids'), optional=True),
]
train_pipeline = [*_base_.train_pipeline[:-1], *words]
test_pipeline = [*_base_.test_pipeline[:-1], *words]
model = dict(
    encoders=dict(text=dict(type='TokenIdEncoder', num_ids=48, embed_dims=96, depth=2, num_heads=3)),
    fusion=dict(_delete_=True, type='ConcatFusion', depth=1, num_heads=3),
    missing_streams='zero',
)
train_dataloader = dict(dataset=dict(ann_file='train_words.csv', streams=streams, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(ann_file='test_words.csv', streams=streams, pipeline=test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=1.0))
train_cfg = dict(max_epochs=12)
