"""SVFAP base, pre-training on VoxCeleb2, picture alone; batch 256, 100 epochs.

tools/dist_train.sh configs/svfap/svfap_base_pretrain_voxceleb2.py 4 --amp

Published recipe: AdamW (0.9, 0.95), learning rate 3e-4 * total batch / 256, 5 warm-up epochs, tubes with 90 % masked,
normalised pixels without frame difference, 64 clips on each of 4 GPUs. Here the masked patches do not reach the encoder;
``model.encoders.video.published_pretraining=True`` is the published form (docs/systems/svfap.md).
"""

_base_ = [
    '../_base_/models/svfap_base_pretrain.py',
    '../_base_/datasets/voxceleb2_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

train_dataloader = dict(batch_size=64, dataset=dict(streams=('video',)))
