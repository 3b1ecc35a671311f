"""EMT-DLFR on CH-SIMS, sentiment from -1 to 1 by text, sound and picture; batch 32, 100 epochs.

python tools/train.py configs/emt_dlfr/emt_dlfr_sims.py

Width 32, 4 layers and 4 heads, all weights shared, both weights of the restoration 0.5: as published. The weight of the
attraction is also that of the complete view's prediction. What emt_dlfr_mosi.py says of the rest holds here as well.
``SIMS_ROOT`` in the environment is another folder than ``data/sims``.

The published numbers are not on record here.
"""

_base_ = ['./emt_dlfr_mosi.py']

data_root = '{{$SIMS_ROOT:data/sims}}'
model = dict(
    encoders=dict(audio=dict(in_channels=33), video=dict(in_channels=709)),
    fusion=dict(embed_dims=32, depth=4),
    head=dict(loss=dict(loss_weight=0.5)),
    objectives=dict(
        dlfr=dict(
            inputs=dict(audio=33, video=709),
            attraction_weight=0.5,
            reconstruction_weight=0.5,
            prediction_weight=2.0,
        ),
    ),
)
train_dataloader = dict(dataset=dict(data_root=data_root))
val_dataloader = dict(dataset=dict(data_root=data_root))
test_dataloader = dict(dataset=dict(data_root=data_root))
val_evaluator = dict(sentiment='sims')
test_evaluator = val_evaluator
work_dir = 'work_dirs/emt_dlfr_sims'
