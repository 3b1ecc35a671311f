"""S4D: names of the model of videos and images. The images' encoder is the videos' (``tied``)."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules

_OURS = 'encoders.video.'
_EXPERTS = 'blocks.{i}.moe_layer.'

RULES = KeyRules(
    (
        ('patch_embed.', f'{_OURS}patch_embed.'),
        (f'{_EXPERTS}router.topkroute_linear.', f'{_OURS}blocks.{{i}}.mixture.router.logits.'),
        (f'{_EXPERTS}router.noise_linear.', f'{_OURS}blocks.{{i}}.mixture.router.noise_size.'),
        (f'{_EXPERTS}experts.', f'{_OURS}blocks.{{i}}.mixture.experts.'),
        ('blocks.{i}.', f'{_OURS}blocks.{{i}}.'),
        ('fc_norm.', 'head.heads.video.norm.'),
        ('head.video.', 'head.heads.video.fc.'),
        ('head.image.', 'head.heads.image.fc.'),
    )
)
