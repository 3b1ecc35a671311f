"""MAE-DFER: names of checkpoints after fine-tuning, and of those after pre-training."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules

# the steps of a block: published name of attention and norms, ours
_STEPS = (('first', 'local'), ('second', 'interact'), ('third', 'read'), ('fourth', 'gather'))


def region_encoder(published: str, ours: str) -> tuple[tuple[str, str], ...]:
    """Rules of an LGI-Former whose names begin with ``published``; AVF-MAE++ has two of them."""
    block, own = f'{published}blocks.{{i}}.', f'{ours}blocks.{{i}}.'
    steps = (
        rule
        for theirs, name in _STEPS
        for rule in (
            (f'{block}{theirs}_attn.', f'{own}{name}_attn.'),
            (f'{block}{theirs}_attn_norm0.', f'{own}{name}_norm.'),
            (f'{block}{theirs}_attn_norm1.', f'{own}{name}_context_norm.'),
        )
    )
    return (
        (f'{published}lg_region_tokens', f'{ours}region_tokens'),
        (f'{published}patch_embed.', f'{ours}patch_embed.'),
        *steps,
        (f'{block}norm2.', f'{own}mlp_norm.'),
        (f'{block}mlp.', f'{own}mlp.'),
    )


_PRETRAINED = KeyRules(
    (
        *region_encoder('encoder.', 'encoders.video.'),
        ('encoder.norm.', 'encoders.video.norm.'),
        ('mask_token', 'decoders.video.mask_token'),
        ('encoder_to_decoder.', 'decoders.video.embed.'),
        ('decoder.', 'decoders.video.'),
    )
)

RULES = KeyRules(
    (*region_encoder('', 'encoders.video.'), ('fc_norm.', 'head.norm.'), ('head.', 'head.fc.')),
    other_forms=(_PRETRAINED,),
)
