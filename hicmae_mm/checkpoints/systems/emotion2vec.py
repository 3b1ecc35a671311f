"""emotion2vec: names of the released checkpoints, mapped to a recognizer whose audio stream is the encoder."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules, Unused

_AUDIO = 'modality_encoders.AUDIO.'
_OURS = 'encoders.audio.'
_PARTS = (
    ('local_encoder.conv_layers.{i}.0.', 'convolutions.convs.{i}.'),
    ('local_encoder.conv_layers.{i}.2.1.', 'convolutions.norms.{i}.'),
    ('project_features.1.', 'project.0.'),
    ('project_features.2.', 'project.1.'),
    ('relative_positional_encoder.{i+1}.0.', 'positions.{i}.'),
    ('context_encoder.norm.', 'norm.'),
    ('context_encoder.blocks.{i}.', 'prenet.{i}.'),
    ('extra_tokens', 'extra_tokens'),
    ('alibi_scale', 'alibi_scale'),
)

RULES = KeyRules(
    (
        *((f'{_AUDIO}{published}', f'{_OURS}{ours}') for published, ours in _PARTS),
        ('blocks.{i}.', f'{_OURS}blocks.{{i}}.'),
        ('norm.', f'{_OURS}final_norm.'),
        ('proj.', 'head.fc.'),
    ),
    unused=(Unused(f'{_AUDIO}decoder.'), Unused('_ema')),
    prefixes=('module.', 'd2v_model.'),
)
