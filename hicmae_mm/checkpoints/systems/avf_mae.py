"""AVF-MAE++: names of checkpoints after fine-tuning and after pre-training, of one block, and of the fusion."""

from __future__ import annotations

from hicmae_mm.checkpoints.systems.key_rules import KeyRules
from hicmae_mm.checkpoints.systems.mae_dfer import region_encoder

# published names of the parts of a layer and of what follows the layers, for video and audio; ours
_LAYER_PARTS = (
    ('norm1', 'norm_new', 'self_block.norm1'),
    ('attn', 'attn_new', 'self_block.attn'),
    ('norm_vsa', 'norm_asa', 'self_block.norm2'),
    ('mlp_vsa', 'mlp_asa', 'self_block.mlp'),
    ('cross_norm1', 'cross_norm1_a', 'query_norm'),
    ('cross_norm2', 'cross_norm2_a', 'context_norm'),
    ('cross_attn', 'cross_attn_a', 'cross_attn'),
    ('norm_vcma', 'norm_acma', 'mlp_norm'),
    ('mlp_vcma', 'mlp_acma', 'mlp'),
    ('lv1', 'la1', 'self_gate'),
    ('lv2', 'la2', 'cross_gate'),
    ('norm3', 'norm3_1', 'norm'),
)
_END_PARTS = (
    ('norm', 'norm_audio', 'mixes.{stream}.block.norm1'),
    ('vadaptiveinteraction', 'aadaptiveinteraction', 'mixes.{stream}.block.attn'),
    ('norm_att_v', 'norm_att_a', 'mixes.{stream}.block.norm2'),
    ('mlp_att_v', 'mlp_att_a', 'mixes.{stream}.block.mlp'),
    ('vselectfusion', 'aselectfusion', 'mixes.{stream}.select'),
    ('cross_norm_1', 'cross_norm_3', 'query_norms.{stream}'),
    ('norm_att_v_IR', 'norm_att_a_IR', 'mlp_norms.{stream}'),
    ('mlp_att_video_IR', 'mlp_att_audio_IR', 'mlps.{stream}'),
)
_REFINEMENT = 'Iterative_Refinement_Module'


def fusion_rules(published: str = '', ours: str = '') -> tuple[tuple[str, str], ...]:
    """Rules of the fusion's names, which begin with ``published``."""
    rules: list[tuple[str, str]] = []
    for column, stream in enumerate(('video', 'audio')):
        rules += [(f'blocks.{{i}}.{parts[column]}.', f'blocks.{stream}.{{i}}.{parts[2]}.') for parts in _LAYER_PARTS]
        rules += [(f'{parts[column]}.', f'{parts[2].format(stream=stream)}.') for parts in _END_PARTS]
        rules.append((f'{_REFINEMENT}.conv_{stream}.', f'refinement.branches.{stream}.'))
    rules += [
        (f'{_REFINEMENT}.post_extract_proj.', 'refinement.project.'),
        (f'{_REFINEMENT}.layer_norm.', 'refinement.norm.'),
        ('cross_norm_2.', 'context_norm.'),
        ('cross_attn.', 'cross_attn.'),
    ]
    return tuple((published + theirs, ours + own) for theirs, own in rules)


BLOCK = KeyRules(
    tuple((old.replace('blocks.{i}.', ''), new.replace('blocks.{i}.', '')) for old, new in region_encoder('', ''))
)
FUSION = KeyRules(fusion_rules())


def _stream_rules(stream: str, ending: str) -> tuple[tuple[str, str], ...]:
    """Rules of a stream's parts, whose published names end in ``ending``."""
    encoder, decoder = f'encoders.{stream}.', f'decoders.{stream}.'
    return (
        *region_encoder(f'encoder{ending}.', encoder),
        (f'encoder{ending}.norm.', f'{encoder}norm.'),
        (f'mask_token{ending}', f'{decoder}mask_token'),
        (f'encoder_to_decoder{ending}.', f'{decoder}embed.'),
        (f'decoder{ending}.blocks.{{i}}.cross_norm1.', f'{decoder}blocks.{{i}}.query_norm.'),
        (f'decoder{ending}.blocks.{{i}}.cross_norm2.', f'{decoder}blocks.{{i}}.context_norm.'),
        (f'decoder{ending}.', decoder),
        (f'layer_weights_{stream}', f'fusion.layer_weights.{stream}'),
    )


RULES = KeyRules(
    (
        *_stream_rules('video', ''),
        *_stream_rules('audio', '_audio'),
        *fusion_rules('encoder_fusion.', 'fusion.'),
        ('fc_norm.', 'head.norm.'),
        ('head.', 'head.fc.'),
    )
)
