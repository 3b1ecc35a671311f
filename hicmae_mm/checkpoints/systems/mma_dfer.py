"""MMA-DFER: names of the published checkpoints. ``image_encoder`` is the video stream."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules, Unused

_LAYER = 'temporal_net.temporal_transformer.layers.{i}.'
_STREAMS = (('image_encoder', 'video'), ('audio_model', 'audio'))

_EXCHANGE = (
    ('image_encoder.temporal_pre.', 'exchange.down.video.'),
    ('image_encoder.temporal_pre_norm.', 'exchange.norms.video.'),
    ('image_encoder.audio_proj_pre.{i}.0.', 'exchange.down.audio.{i}.'),
    ('image_encoder.audio_proj_pre.{i}.1.', 'exchange.norms.audio.{i}.'),
)
_ENCODERS = tuple(
    (f'{published}.{old}', f'{new}{stream}{rest}')
    for published, stream in _STREAMS
    for old, new, rest in (
        ('temporal_att_post.{i}.0.', 'exchange.up.', '.{i}.'),
        ('all_gate.', 'exchange.gates.', '.'),
        ('learnable_prompts_init', 'encoders.', '.prompts'),
        ('learnable_prompts_progr.', 'encoders.', '.prompt_updates.'),
        ('pos_embed', 'encoders.', '.positions'),
        ('', 'encoders.', '.'),
    )
)
_TEMPORAL = (
    ('vision_proj.', 'aggregator.proj.'),
    ('temporal_net.cls_token', 'aggregator.cls_token'),
    ('temporal_net.pos_embedding', 'aggregator.positions'),
    (f'{_LAYER}0.fn.norm.', 'aggregator.layers.{i}.norm1.'),
    (f'{_LAYER}1.fn.norm.', 'aggregator.layers.{i}.norm2.'),
    (f'{_LAYER}0.fn.fn.to_q.', 'aggregator.layers.{i}.q.'),
    (f'{_LAYER}0.fn.fn.to_kv.', 'aggregator.layers.{i}.kv.'),
    (f'{_LAYER}0.fn.fn.to_out.0.', 'aggregator.layers.{i}.proj.'),
    (f'{_LAYER}1.fn.fn.net.0.', 'aggregator.layers.{i}.fc1.'),
    (f'{_LAYER}1.fn.fn.net.3.', 'aggregator.layers.{i}.fc2.'),
    ('our_classifier.', 'head.fc.'),
)
_UNUSED = tuple(
    Unused(f'{_LAYER}{part}.fn.norm2.{name}', f'{_LAYER}{part}.fn.norm.{name}', value)
    for part in (0, 1)
    for name, value in (('weight', 1.0), ('bias', 0.0))
)

RULES = KeyRules(
    (*_EXCHANGE, *_ENCODERS, *_TEMPORAL),
    unused=(*_UNUSED, Unused('image_encoder.head.'), Unused('audio_model.head.')),
)
