"""VoxCeleb2 dev for pre-training, from shards of frames that are cut to rows 0:160, columns 32:192 already.

``tools/dataset_converters/make_shards.py --crop 0,32,160,160`` packs them into ``data/voxceleb2_shards`` (another folder
or URL: ``VOXCELEB2_SHARDS`` in the environment), see docs/shards.md.
"""

_base_ = './voxceleb2_pretrain.py'

train_pipeline = [transform for transform in _base_.train_pipeline if transform['type'] != 'FixedCrop']
train_dataloader = dict(
    sampler=dict(_delete_=True, type='ShardSampler', shuffle=True, window=4096),
    dataset=dict(
        type='AudioVisualShards',
        task='unlabelled',
        data_root='{{$VOXCELEB2_SHARDS:data/voxceleb2_shards}}',
        ann_file='index.json',
        pipeline=train_pipeline,
    ),
)
