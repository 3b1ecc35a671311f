"""A plain video transformer of MAE-DFER's size (VideoMAE's base), fine-tuning on DFEW, 7 emotions; batch 64, 100 epochs.

tools/dist_train.sh configs/mae_dfer/mae_dfer_base_plain_dfew.py 4 --amp --cfg-options load_from=PRETRAINED.pth

The paper compares MAE-DFER with this model on the same clips: 81 against 50 G multiply-accumulates. All tokens attend to
all tokens, in 12 blocks 768 wide. Everything else is as in mae_dfer_base_dfew.py. There is no published number of it here.
"""

_base_ = './mae_dfer_base_dfew.py'

model = dict(
    encoders=dict(
        video=dict(
            _delete_=True,
            type='VisionTransformerEncoder',
            embed_dims=768,
            depth=12,
            num_heads=12,
            drop_path_rate=0.1,
            patch_embed=dict(type='TubeletEmbed', image_size=160, num_frames=16, patch_size=16, tubelet_size=2),
        ),
    ),
    aggregator=dict(_delete_=True, type='MeanPoolAggregator'),
)
optim_wrapper = dict(paramwise_cfg=dict(no_decay=()))
work_dir = 'work_dirs/mae_dfer_base_plain_dfew/fold{{$FOLD:1}}'
