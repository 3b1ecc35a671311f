"""HiCMAE nano on synthetic talking faces, 6 emotions, encoders frozen: fusion, layer mix and head; batch 16, 20 epochs.

python tools/train.py configs/hicmae_nano_frozen_synthetic.py --cfg-options load_from=PRETRAINED.pth

With cached encoders (docs/encoder_cache.md) it takes seconds. There is no published number.
"""

_base_ = 'hicmae_nano_synthetic.py'

model = dict(frozen=['encoders'])
