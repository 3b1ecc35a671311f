"""HiCMAE base, fine-tuning on MER2023 (MER-MULTI), 6 emotions and valence; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_mer2023.py 4 --amp --cfg-options load_from=PRETRAINED.pth

The learning rate is 1e-3 * total batch / 256 on any number of GPUs. The number of epochs is not on record here;
50 is that of CREMA-D. Class and valence are learned together, with equal weights; the published code has the classes
only.

The published numbers for this size and task are not on record here (docs/reproduction.md).
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/mer2023.py']

model = dict(
    head=dict(
        _delete_=True,
        type='MultiTaskHead',
        heads=dict(
            emotion=dict(
                type='ClassificationHead', num_classes=6, loss=dict(type='SoftCrossEntropyLoss', label_smoothing=0.1)
            ),
            valence=dict(type='RegressionHead', num_outputs=1, loss=dict(type='MSELoss')),
        ),
    ),
)
default_hooks = dict(checkpoint=dict(save_best='MER'))
work_dir = 'work_dirs/hicmae_base_mer2023'
