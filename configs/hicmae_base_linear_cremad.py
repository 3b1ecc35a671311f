"""HiCMAE base, linear probe on CREMA-D, 6 emotions: the head alone is trained; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_linear_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

The features are those of the frozen pre-trained model, all layers mixed equally. One linear layer overfits little, and
what protects large models from that only harms it (He et al., 2022, MAE, appendix A.1): no mixup, random augmentation,
erasing, label smoothing or weight decay; crops and flips stay. No pre-trained weight is at stake, so the learning rate
is ten times that of fine-tuning, without layer decay. Our own choice, untuned: there is no published number.
"""

_base_ = 'hicmae_base_cremad.py'

model = dict(
    data_preprocessor=dict(_delete_=True, type='AudioVisualDataPreprocessor'),  # no mixup
    frozen=('encoders', 'fusion', 'aggregator'),
    head=dict(loss=dict(label_smoothing=0.0)),
)
strong = ('ClipRandAugment', 'ClipRandomErasing')
train_dataloader = dict(
    dataset=dict(pipeline=[transform for transform in _base_.train_pipeline if transform['type'] not in strong])
)
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=0.0), paramwise_cfg=dict(layer_decay=1.0))
work_dir = 'work_dirs/hicmae_base_linear_cremad/fold{{$FOLD:1}}'
