"""CLAIP-Emo on DFEW, 7 emotions; frozen CLIP ViT-L/14 and CLAP with LoRA; batch 64, 100 epochs.

tools/dist_train.sh configs/claip_emo/claip_emo_large_dfew.py 4 --amp

CLIP_FOLDER (weights/clip-vit-large-patch14) and CLAP_FOLDER (weights/clap-htsat-fused) in the environment name local
folders with both models (docs/systems/claip_emo.md). FOLD=1 to 5 chooses the fold (default 1). Recipe: AdamW 1e-5 *
total batch / 256 with weight decay 0.05 and no layer decay, RandAugment, mixup 0.8, cutmix 1.0, label smoothing 0.1, 2
clips with 2 crops in testing. The size of the batch is our choice.

Published WAR 80.14, mean of five folds: not yet reproduced here.
"""

_base_ = './claip_emo_base_dfew.py'

large = dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=24, num_attention_heads=16, patch_size=14)
model = dict(
    encoders=dict(video=dict(path='{{$CLIP_FOLDER:weights/clip-vit-large-patch14}}', config=large)),
)
work_dir = 'work_dirs/claip_emo_large_dfew/fold{{$FOLD:1}}'
