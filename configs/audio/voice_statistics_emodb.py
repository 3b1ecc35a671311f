"""Statistics of the voice and one hidden layer, EmoDB, 7 emotions, sound alone; batch 32, 40 epochs.

python tools/kfold.py configs/audio/voice_statistics_emodb.py --folds 1-10

Lists and statistics first: ``python tools/dataset_converters/speech.py /corpora/EmoDB --emodb --out-dir data/emodb``. A
recipe of this project for a few hundred clips: 1496 statistics of spectrum, pitch and loudness over time, normalised
for each speaker without labels; dropout, mixup and label smoothing; AdamW with warm-up and cosine.

Measured here: UAR of the pooled folds 78.5 and 78.9 % (seeds 0 and 1); docs/speech.md compares. There is no published
number.
"""

_base_ = [
    '../_base_/models/voice_statistics.py',
    '../_base_/datasets/emodb.py',
    '../_base_/schedules/finetune.py',
    '../_base_/default_runtime.py',
]

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=2e-3, weight_decay=0.05),
)
auto_scale_lr = dict(enable=False)
param_scheduler = [dict(type='WarmupCosineLR', warmup=4, eta_min_ratio=1e-3, by_epoch=True, convert_to_iter_based=True)]
train_cfg = dict(max_epochs=40, val_interval=40)
default_hooks = dict(checkpoint=dict(interval=40))
work_dir = 'work_dirs/voice_statistics_emodb/fold{{$FOLD:1}}'
