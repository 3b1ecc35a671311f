"""HiCMAE nano on synthetic talking faces, 6 emotions, LoRA in encoders and fusion; batch 16, 20 epochs.

python tools/train.py configs/hicmae_nano_lora_synthetic.py --cfg-options load_from=PRETRAINED.pth

The encoders and the fusion of the quickstart's pre-training stay as they are. What is trained are LoRA of rank 4, the
mix of layers, and the head; checkpoints hold these only. Not a published size: there is no published number.
"""

_base_ = 'hicmae_nano_synthetic.py'

lora = dict(type='LoRA', modules=r'attn\.(qkv|q|kv|proj)|mlp\.fc[12]', r=4, alpha=16, dropout=0.1)
model = dict(adapters=[dict(lora, target='encoders'), dict(lora, target='fusion')])
optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=dict(layer_decay=1.0))
default_hooks = dict(checkpoint=dict(save_trainable_only=True))
