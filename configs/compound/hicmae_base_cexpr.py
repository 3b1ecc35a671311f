"""HiCMAE base on the seven compound emotions of C-EXPR-DB, from basic emotions or trained; batch 56, 100 epochs.

python tools/test.py configs/compound/hicmae_base_cexpr.py work_dirs/hicmae_base_dfew/fold1/epoch_100.pth
tools/dist_train.sh configs/compound/hicmae_base_cexpr.py 4 --amp --cfg-options load_from=PRETRAINED.pth

The first line needs no training: the checkpoint has learned DFEW's seven basic emotions, and the score of a pair is the
product of theirs (model.head.rule='sum' adds them). CEXPR_ROOT in the environment (data/cexpr) is the folder of
fold{1..5}/{train,test}.csv, lists of video, audio and label 0 to 6 in the order below; clips of "other" are left out.
FOLD=1 to 5 chooses the fold (default 1).

We know no published number of this model on this corpus.
"""

_base_ = ['../_base_/hicmae_base_classification.py', '../_base_/datasets/finetuning.py']

compounds = (
    ('fear', 'surprise'),
    ('happiness', 'surprise'),
    ('sadness', 'surprise'),
    ('disgust', 'surprise'),
    ('anger', 'surprise'),
    ('fear', 'sadness'),
    ('anger', 'sadness'),
)
basic = ('happiness', 'sadness', 'neutral', 'anger', 'surprise', 'disgust', 'fear')  # DFEW's order
model = dict(
    data_preprocessor=dict(batch_augment=dict(num_classes=7)),
    head=dict(_delete_=True, type='CompoundHead', basic=basic, compounds=compounds),
)
corpus = dict(
    type='AudioVisualDataset',
    data_root='{{$CEXPR_ROOT:data/cexpr}}',
    metainfo=dict(
        name='C-EXPR-DB',
        classes=(
            'fearfully surprised',
            'happily surprised',
            'sadly surprised',
            'disgustedly surprised',
            'angrily surprised',
            'sadly fearful',
            'sadly angry',
        ),
    ),
)
train_dataloader = dict(dataset=dict(ann_file='fold{{$FOLD:1}}/train.csv', **corpus))
val_dataloader = dict(dataset=dict(ann_file='fold{{$FOLD:1}}/test.csv', **corpus))
test_dataloader = val_dataloader
train_cfg = dict(max_epochs=100)
work_dir = 'work_dirs/hicmae_base_cexpr/fold{{$FOLD:1}}'
