"""EMT-DLFR: names of the published model, behind its text encoder."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules, Unused

_STREAMS = ('text', 'audio', 'video')
_UNIT = '{l}.{m}.{r}.layers.0.'
_PARTS = (
    ('0.norm.', 'query_norm.'),
    ('0.norm_context.', 'context_norm.'),
    *(
        (f'0.fn.{published}.', f'cross_attn.{ours}.')
        for published, ours in (('to_q', 'q'), ('to_kv', 'kv'), ('to_out', 'proj'))
    ),
    ('1.norm.', 'norm1.'),
    *(
        (f'1.fn.{published}.', f'attn.{ours}.')
        for published, ours in (('to_q', 'q'), ('to_kv', 'kv'), ('to_out', 'proj'))
    ),
    ('2.norm.', 'norm2.'),
    ('2.fn.net.0.', 'mlp.fc1.'),
    ('2.fn.net.2.', 'mlp.fc2.'),
)


def _fusion(prefix: str) -> tuple[tuple[str, str], ...]:
    return (
        *((f'{prefix}mpus.{_UNIT}{published}', f'fusion.units.{{l}}.{{m}}.{{r}}.{ours}') for published, ours in _PARTS),
        (f'{prefix}attn_pools.{{l}}.attention.', 'fusion.pools.{l}.score.'),
    )


FUSION = KeyRules(_fusion(''), unused=(Unused('pos_embed.'),))
RULES = KeyRules(
    (
        *_fusion('fusion.'),
        *((f'{name}_model.rnn.', f'encoders.{name}.rnn.') for name in _STREAMS[1:]),
        *((f'{name}_model.linear_1.', f'encoders.{name}.proj.') for name in _STREAMS[1:]),
        *((f'proj_{name}.', f'fusion.proj.{name}.') for name in _STREAMS),
        *((f'recon_{name}.', f'objectives.dlfr.decoders.{name}.') for name in _STREAMS),
        *(
            (f'{published}_{part}.', f'objectives.dlfr.{part}s.{ours}.')
            for published, ours in (('gmc_tokens', 'context'), *((name, name) for name in _STREAMS))
            for part in ('projector', 'predictor')
        ),
        ('post_fusion_layer_1.', 'aggregator.stack.layers.0.'),
        ('post_fusion_layer_2.', 'aggregator.stack.layers.3.'),
        ('post_fusion_layer_3.', 'head.fc.'),
    ),
    unused=(Unused('fusion.pos_embed.'), Unused('text_model.')),
    prefixes=('module.', 'Model.'),
)
