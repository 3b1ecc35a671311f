"""MER2023 baseline and MERTools: names of the models over audio, text and video features."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules

_STREAMS = ('audio', 'text', 'video')
_MOST_LAYERS = 16
_HEADS = (
    ('fc_att.', 'aggregator.weights.'),
    ('fc_out_1.', 'head.heads.emotion.fc.'),
    ('fc_out_2.', 'head.heads.valence.fc.'),
)


def _numbered(published: str, ours: str) -> tuple[tuple[str, str], ...]:
    """MERTools counts the linear layers from 1; ours stand in a sequence with activation and dropout between."""
    return tuple((f'{published}.linear_{layer + 1}.', f'{ours}.layers.{3 * layer}.') for layer in range(_MOST_LAYERS))


ATTENTION_2023 = KeyRules(
    (
        *((f'{name}_mlp.', f'encoders.{name}.stack.layers.') for name in _STREAMS),
        ('attention_mlp.', 'aggregator.stack.layers.'),
        *_HEADS,
    )
)
MLP_2023 = KeyRules((('module.', 'aggregator.stack.layers.'), *_HEADS[1:]), prefixes=('model.',))
ATTENTION_2024 = KeyRules(
    (
        *(rule for name in _STREAMS for rule in _numbered(f'{name}_encoder', f'encoders.{name}.stack')),
        *_numbered('attention_mlp', 'aggregator.stack'),
        *_HEADS,
    ),
    prefixes=('model.', 'module.'),
)
FRAMES_2024 = KeyRules(
    (
        *((f'{name}_encoder.rnn.', f'encoders.{name}.rnn.') for name in _STREAMS),
        *((f'{name}_encoder.linear_1.', f'encoders.{name}.proj.') for name in _STREAMS),
        *_numbered('attention_mlp', 'aggregator.stack'),
        *_HEADS,
    ),
    prefixes=('model.', 'module.'),
)
