"""SVFAP: names of checkpoints after fine-tuning, and of those after pre-training."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules

_OURS = 'encoders.video.'


def _encoder(prefix: str) -> tuple[tuple[str, str], ...]:
    """Rules of the encoder, whose names begin with ``encoder.`` after pre-training."""
    return (
        (f'{prefix}blocks.{{i}}.cross_norm1.', f'{_OURS}blocks.{{i}}.query_norm.'),
        (f'{prefix}blocks.{{i}}.cross_norm2.', f'{_OURS}blocks.{{i}}.context_norm.'),
        *(
            (f'{prefix}{part}', f'{_OURS}{part}')
            for part in ('patch_embed.', 'blocks.{i}.', 'temporal_downsamples.', 'spatial_downsamples.')
        ),
    )


_PRETRAINED = KeyRules(
    (
        *_encoder('encoder.'),
        ('encoder.norm.', f'{_OURS}norm.'),
        ('mask_token', 'decoders.video.mask_token'),
        ('encoder_to_decoder.', 'decoders.video.embed.'),
        ('decoder.', 'decoders.video.'),
    )
)

RULES = KeyRules(
    (*_encoder(''), ('fc_norm.', 'head.norm.'), ('head.', 'head.fc.')),
    other_forms=(_PRETRAINED,),
)
