"""HiCMAE base with fusion in one direction, fine-tuning on CREMA-D; batch 56, 50 epochs.

FUSION_UPDATES=audio tools/dist_train.sh configs/hicmae_base_oneway_cremad.py 4 --amp --cfg-options load_from=ONEWAY.pth

Ablation: only the stream FUSION_UPDATES (default audio) attends to the other, which passes the fusion unchanged.
ONEWAY.pth is the result of hicmae_base_oneway_pretrain_voxceleb2.py with the same direction. FOLD as in
hicmae_base_cremad.py.
"""

_base_ = 'hicmae_base_cremad.py'

model = dict(fusion=dict(updates=('{{$FUSION_UPDATES:audio}}',)))
work_dir = 'work_dirs/hicmae_base_oneway_cremad_{{$FUSION_UPDATES:audio}}/fold{{$FOLD:1}}'
