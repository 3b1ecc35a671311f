"""A text classifier of compound emotions of the synthetic corpus, from basic scores or trained; batch 32, 15 epochs.

python tools/test.py configs/compound/compounds_nano_synthetic.py work_dirs/described_nano_synthetic/epoch_15.pth
python tools/train.py configs/compound/compounds_nano_synthetic.py

The first line needs no training: the checkpoint of ``described_nano_synthetic.py`` has learned basic emotions, and the
score of a pair is the product of theirs. ``make_synthetic.py --compounds`` makes the tables. docs/plugins.md has the
scores. Not a published size: there is no published number.
"""

_base_ = ['./described_nano_synthetic.py']

compounds = (('ANG', 'FEA'), ('DIS', 'SAD'), ('FEA', 'NEU'), ('SAD', 'HAP'), ('NEU', 'ANG'), ('HAP', 'DIS'))
corpus = dict(
    data_root='{{$SYNTHETIC_ROOT:data/synthetic}}/compounds',
    metainfo=dict(
        classes=('ANG and FEA', 'DIS and SAD', 'FEA and NEU', 'SAD and HAP', 'NEU and ANG', 'HAP and DIS'),
    ),
)
vocabulary = dict(type='Tokenize', vocabulary='../described_words.txt', field='description')
pipeline = [_base_.pipeline[0], vocabulary, _base_.pipeline[2]]
train_dataloader = dict(dataset=dict(corpus, ann_file='train.csv', pipeline=pipeline))
val_dataloader = dict(dataset=dict(corpus, ann_file='test.csv', pipeline=pipeline))
test_dataloader = val_dataloader
model = dict(
    head=dict(
        _delete_=True,
        type='CompoundHead',
        basic=('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD'),
        compounds=compounds,
        init_scale=1.0,
    )
)
work_dir = 'work_dirs/compounds_nano_synthetic'
