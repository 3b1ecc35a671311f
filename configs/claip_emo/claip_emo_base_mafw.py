"""CLAIP-Emo on MAFW, 11 emotions; frozen CLIP ViT-B/16 and CLAP with LoRA; batch 64, 100 epochs.

tools/dist_train.sh configs/claip_emo/claip_emo_base_mafw.py 4 --amp

CLIP_FOLDER (weights/clip-vit-base-patch16) and CLAP_FOLDER (weights/clap-htsat-fused) in the environment name local
folders with both models (docs/systems/claip_emo.md). FOLD=1 to 5 chooses the fold (default 1). Recipe: AdamW 1e-5 *
total batch / 256 with weight decay 0.05 and no layer decay, RandAugment, mixup 0.8, cutmix 1.0, label smoothing 0.1, 2
clips with 2 crops in testing. The size of the batch is our choice.

We know no published number of this size.
"""

_base_ = './claip_emo_base_dfew.py'

mafw = dict(type='MAFW', data_root='{{$MAFW_ROOT:data/mafw}}')
model = dict(data_preprocessor=dict(batch_augment=dict(num_classes=11)), head=dict(num_classes=11))
train_dataloader = dict(dataset=dict(mafw, ann_file='fold{{$FOLD:1}}/train.csv'))
val_dataloader = dict(dataset=dict(mafw, ann_file='fold{{$FOLD:1}}/test.csv'))
test_dataloader = val_dataloader
work_dir = 'work_dirs/claip_emo_base_mafw/fold{{$FOLD:1}}'
