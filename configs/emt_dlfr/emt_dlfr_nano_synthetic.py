"""EMT-DLFR on features of the synthetic corpus, valence by text, sound and picture; batch 32, 30 epochs.

python tools/train.py configs/emt_dlfr/emt_dlfr_nano_synthetic.py

Width 32 and 2 layers; sequences of picture and sound, one vector of all words. Media and features first:
docs/plugins.md, which also has the scores. Not a published size: there is no published number.
"""

_base_ = [
    '../_base_/models/emt_dlfr.py',
    '../_base_/datasets/synthetic_feature_sequences.py',
    '../_base_/schedules/features.py',
    '../_base_/default_runtime.py',
]

model = dict(
    encoders=dict(
        text=dict(in_channels=96, has_special_tokens=False),
        audio=dict(in_channels=96),
        video=dict(in_channels=96),
    ),
    fusion=dict(embed_dims=32, depth=2),
    aggregator=dict(widths=(32, 32)),
    objectives=dict(dlfr=dict(inputs=dict(audio=96, video=96), keep_ends=())),
    missing_streams='zero',
)
valence = dict(task='regression', metainfo=dict(_delete_=True, dimensions=('valence',)))
train_dataloader = dict(dataset=valence)
val_dataloader = dict(dataset=valence)
test_dataloader = val_dataloader
val_evaluator = dict(type='RegressionMetric')
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=30, val_interval=30)
default_hooks = dict(checkpoint=dict(interval=30))
work_dir = 'work_dirs/emt_dlfr_nano_synthetic'
