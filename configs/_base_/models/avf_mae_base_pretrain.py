"""AVF-MAE++ base, pre-training: 512 wide, 10 + 10 encoder layers over 8 regions each, 2 fusion layers, decoders 384 wide."""

_base_ = './hicmae_base_pretrain.py'

model = dict(
    encoders=dict(
        video=dict(type='LGIFormerEncoder', region=(2, 5, 10), gather=True, masked_regions='runs'),
        audio=dict(type='LGIFormerEncoder', region=(4, 4), gather=True, masked_regions='runs'),
    ),
    fusion=dict(type='IterativeCorrelationFusion'),
)
