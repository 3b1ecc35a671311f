"""HiCMAE base, fine-tuning on AVCAffe, arousal or valence; batch 56, 30 epochs.

tools/dist_train.sh configs/hicmae_base_avcaffe.py 4 --amp --cfg-options load_from=PRETRAINED.pth

AVCAFFE_TARGET=arousal or valence in the environment chooses what is predicted (default arousal). The learning rate is
1e-3 * total batch / 256 on any number of GPUs. The number of epochs is our choice, as for Werewolf-XL.

Published weighted F1: arousal 43.18, valence 44.20 (third parties' listings of the paper's tables,
docs/reproduction.md): not yet reproduced here.
"""

_base_ = ['_base_/hicmae_base_classification.py', '_base_/datasets/avcaffe.py']

model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=5)), head=dict(num_classes=5))
train_cfg = dict(max_epochs=30)
default_hooks = dict(checkpoint=dict(save_best='weighted_f1'))
work_dir = 'work_dirs/hicmae_base_avcaffe/{{$AVCAFFE_TARGET:arousal}}'
