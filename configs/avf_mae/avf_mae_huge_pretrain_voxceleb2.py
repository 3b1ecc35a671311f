"""AVF-MAE++ huge, pre-training on VoxCeleb2 dev; batch 800 on 100 GPUs, 100 epochs.

tools/dist_train.sh configs/avf_mae/avf_mae_huge_pretrain_voxceleb2.py 8 --amp

Published recipe: AdamW (0.9, 0.95), learning rate 2e-4 * total batch / 256, 10 warm-up epochs, gradients clipped at 0.7,
90 % of the picture and 81.25 % of the sound masked, half of all tokens decoded, contrast 0.0025 at temperature 0.07, frame
difference. The authors pre-trained on 1.8 million clips of several corpora, not VoxCeleb2 alone. The final learning
rate is ours: a twentieth. There is no published number for this stage.
"""

_base_ = [
    '../_base_/models/avf_mae_huge_pretrain.py',
    '../_base_/datasets/voxceleb2_dual_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=8)
optim_wrapper = dict(optimizer=dict(lr=2e-4), clip_grad=dict(max_norm=0.7))
param_scheduler = [
    dict(type='WarmupCosineLR', warmup=10, eta_min_ratio=0.05, by_epoch=True, convert_to_iter_based=True)
]
default_hooks = dict(checkpoint=dict(interval=5))
