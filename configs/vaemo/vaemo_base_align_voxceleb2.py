"""VAEmo base, second stage on VoxCeleb2: the first stage goes on, and both streams align with texts; batch 160, 20 epochs.

tools/dist_train.sh configs/vaemo/vaemo_base_align_voxceleb2.py 4 --amp --cfg-options load_from=FIRST_STAGE.pth

``text_embeddings`` in the folder of the corpus holds a vector of 768 numbers per clip, of a text about it, for as many
clips as you have: ``CLIP.npy`` (docs/systems/vaemo.md). The recipe is ours.
"""

_base_ = [
    '../_base_/models/vaemo_base_pretrain.py',
    '../_base_/datasets/voxceleb2_pretrain.py',
    '../_base_/schedules/pretrain.py',
    '../_base_/default_runtime.py',
]

# before the clips are packed, the vector of each clip is read; a part of the corpus may have one
pipeline = [
    *_base_.train_pipeline[:-1],
    dict(type='LoadFeatureTarget', target='text', source='text_embeddings', is_optional=True),
    _base_.train_pipeline[-1],
]
train_dataloader = dict(dataset=dict(pipeline=pipeline))
model = dict(objectives=dict(text=dict(type='FeatureAlignment', feature_dims=768, loss_weight=0.1)))
train_cfg = dict(max_epochs=20)
