"""Names the parameters of ABAW6's valence-arousal entry, a model over audio, text and video features."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules

_STREAMS = ('audio', 'text', 'video')

RULES = KeyRules(
    (
        *((f'{name}_encoder.rnn.', f'encoders.{name}.rnn.') for name in _STREAMS),
        *((f'{name}_encoder.linear_1.', f'encoders.{name}.proj.') for name in _STREAMS),
        *((f'attention_mlp.linear_{layer + 1}.', f'aggregator.stack.layers.{3 * layer}.') for layer in range(3)),
        ('fc_att.', 'aggregator.weights.'),
        ('lstm.', 'aggregator.rnn.'),
        ('fc_out_2.', 'head.fc.'),
    )
)
