"""HiCMAE base, CREMA-D, 6 emotions, LoRA in encoders and fusion, which are not trained themselves; batch 56, 50 epochs.

tools/dist_train.sh configs/hicmae_base_lora_cremad.py 4 --amp --cfg-options load_from=PRETRAINED.pth

1.6 million of 82 million parameters are trained: LoRA of rank 8, the mix of layers, and the head. Checkpoints hold these
only, and name PRETRAINED.pth and its hash. No pre-trained weight is changed, so there is no layer decay. All else is
the recipe of fine-tuning. Our own choice, untuned: there is no published number. FOLD as in hicmae_base_cremad.py.
"""

_base_ = 'hicmae_base_cremad.py'

lora = dict(type='LoRA', modules=r'attn\.(qkv|q|kv|proj)|mlp\.fc[12]', r=8, alpha=32, dropout=0.1)
model = dict(adapters=[dict(lora, target='encoders'), dict(lora, target='fusion')])
optim_wrapper = dict(paramwise_cfg=dict(layer_decay=1.0))
default_hooks = dict(checkpoint=dict(save_trainable_only=True))
work_dir = 'work_dirs/hicmae_base_lora_cremad/fold{{$FOLD:1}}'
