"""Converts checkpoints of other vision transformers to initial weights of an encoder.

Their blocks compute the same functions as those of this package, so their weights are copied or folded exactly. Patch
embeddings and position tables are resampled if sizes differ. docs/checkpoints.md lists the names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hicmae_mm.checkpoints.position_init import convert_positions, convert_prompted_positions
from hicmae_mm.checkpoints.resampling import adapt_patch_embed
from hicmae_mm.models.encoders import PromptedViTEncoder, VisionTransformerEncoder


@dataclass(frozen=True)
class _Layout:
    """Describes the parameter names of a family of checkpoints: prefixes of an encoder, and replaced parts of names."""

    prefixes: tuple[str, ...]
    parts: tuple[tuple[str, str], ...] = ()


_MMACTION_PARTS = (
    ('patch_embed.projection.', 'patch_embed.proj.'),
    ('.mlp.layers.0.0.', '.mlp.fc1.'),
    ('.mlp.layers.1.', '.mlp.fc2.'),
)
LAYOUTS = {
    'videomae': _Layout(('encoder.', '')),
    'audiomae': _Layout(('', 'encoder.')),
    'timm': _Layout(('', 'encoder.')),
    'mmaction': _Layout(('backbone.', ''), _MMACTION_PARTS),
}
# learned factors of a residual branch, by the layer whose output they scale
_LAYER_SCALES = {'gamma_1': 'attn.proj', 'ls1.gamma': 'attn.proj', 'gamma_2': 'mlp.fc2', 'ls2.gamma': 'mlp.fc2'}
_BLOCK = re.compile(r'blocks\.(\d+)\.(.+)')
FILLABLE = (VisionTransformerEncoder, PromptedViTEncoder)


@dataclass
class ConvertedEncoder:
    """Weights for one encoder.

    Attributes:
        state: Weights by the parameter names of the encoder.
        notes: One sentence for each part that was adapted or left out.
    """

    state: dict[str, Tensor]
    notes: list[str] = field(default_factory=list)


def convert_encoder(
    weights: Mapping[str, Tensor],
    encoder: VisionTransformerEncoder | PromptedViTEncoder,
    kind: str,
    layers: Sequence[int] | None = None,
    source_grid: Sequence[int] | None = None,
) -> ConvertedEncoder:
    """Converts the weights of another vision transformer to those of an encoder.

    Args:
        weights: State dict of the checkpoint.
        encoder: The encoder, which is not changed. It may be on the ``meta`` device.
        kind: ``'videomae'``, ``'audiomae'``, ``'timm'`` or ``'mmaction'``.
        layers: Index of the source layer for each layer of the encoder. None takes all layers in order, which needs
            the same depth.
        source_grid: Numbers of tokens along the axes of the position table of the checkpoint, (time, rows, columns),
            (time, mel) or, for an encoder of pictures, (rows, columns). None derives them from the length of the table.

    Returns:
        Weights that fit the encoder, and notes about the conversion.

    Raises:
        ValueError: If the kind is unknown, or if the checkpoint is not a vision transformer, has another width, depth
            or MLP, or has blocks that compute another function.
    """
    if kind not in LAYOUTS:
        raise ValueError(f'kind={kind!r} is unknown; expected one of {list(LAYOUTS)}')
    source = _encoder_names(weights, LAYOUTS[kind])
    width = source['blocks.0.norm1.weight'].numel()
    if width != encoder.embed_dims:
        raise ValueError(
            f'the checkpoint has the width {width}, the encoder {encoder.embed_dims}: widths cannot be adapted; set '
            f'embed_dims={width} (and num_heads of the checkpoint) in every encoder of the config'
        )
    result = ConvertedEncoder({})
    result.state.update(_convert_blocks(source, encoder, layers, result.notes))
    result.state.update(_convert_patch_embed(source, encoder, result.notes))
    result.state.update(_convert_norm(source, result.notes))
    used: tuple[str, ...] = ('blocks.', 'patch_embed.proj.', 'norm.', 'fc_norm.', 'pos_embed')
    if isinstance(encoder, PromptedViTEncoder):
        result.state.update(convert_prompted_positions(source, encoder, source_grid, result.notes))
        used += ('cls_token',)
    else:
        result.state.update(convert_positions(source, encoder, source_grid, result.notes))
    rest = sorted({name.split('.')[0] for name in source if not name.startswith(used)})
    if {'patch_embed', 'norm_pre'} & set(rest):
        raise ValueError('the checkpoint normalises its embedded patches, which this encoder does not support')
    if rest:
        result.notes.append(f'not part of an encoder, left out: {", ".join(rest)}')
    _check_fit(result.state, encoder)
    return result


def _encoder_names(weights: Mapping[str, Tensor], layout: _Layout) -> dict[str, Tensor]:
    """Returns the weights of the encoder without prefix, with the names of timm's vision transformer."""
    plain = {name.removeprefix('module.'): value for name, value in weights.items()}
    for prefix in layout.prefixes:
        if f'{prefix}blocks.0.norm1.weight' in plain:
            break
    else:
        wanted = ' or '.join(repr(f'{prefix}blocks.0.norm1.weight') for prefix in layout.prefixes)
        raise ValueError(f'the checkpoint has no {wanted}, only names such as {list(plain)[:3]}: check its kind')
    source = {}
    for name, value in plain.items():
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            for old, new in layout.parts:
                name = name.replace(old, new)
            source[name] = value.float() if value.is_floating_point() else value
    return source


def _convert_blocks(
    source: Mapping[str, Tensor],
    encoder: VisionTransformerEncoder | PromptedViTEncoder,
    layers: Sequence[int] | None,
    notes: list[str],
) -> dict[str, Tensor]:
    blocks: dict[int, dict[str, Tensor]] = {}
    for name, value in source.items():
        match = _BLOCK.match(name)
        if match:
            blocks.setdefault(int(match.group(1)), {})[match.group(2)] = value
    chosen = list(range(len(blocks))) if layers is None else list(layers)
    if len(chosen) != encoder.depth or not set(chosen) <= set(blocks):
        first = ' '.join(map(str, range(encoder.depth)))
        raise ValueError(
            f'the checkpoint has {len(blocks)} layers, the encoder {encoder.depth}, and layers {chosen} are chosen: '
            f'choose {encoder.depth} of the {len(blocks)} layers (--layers {first}), or set depth={len(blocks)}'
        )
    if layers is not None:
        notes.append(f'layers {chosen} of {len(blocks)} are taken')
    own = set(encoder.blocks[0].state_dict())
    state = {}
    for index, number in enumerate(chosen):
        block = _fold_layer_scale(_fit_qkv_bias(blocks[number], own))
        foreign = sorted(block.keys() - own)
        if foreign:
            raise ValueError(f'blocks.{number} has {foreign}: its blocks compute something that this encoder cannot')
        state.update({f'blocks.{index}.{name}': value for name, value in block.items()})
    return state


def _fit_qkv_bias(block: Mapping[str, Tensor], own: set[str]) -> dict[str, Tensor]:
    """Splits the joint bias into biases of queries and values, or joins them, as the encoder has it.

    The bias of the keys is left out or 0: it adds the same number to all scores of a query, which softmax ignores.
    """
    block = dict(block)
    zeros = torch.zeros(block['norm1.weight'].numel())
    if 'attn.qkv.bias' in own:
        parts = block.pop('attn.q_bias', zeros), zeros, block.pop('attn.v_bias', zeros)
        block.setdefault('attn.qkv.bias', torch.cat(parts))
        return block
    joint = block.pop('attn.qkv.bias', None)
    if joint is not None:
        query, _, value = joint.chunk(3)
        block |= {'attn.q_bias': query, 'attn.v_bias': value}
    elif 'attn.q_bias' not in block and 'attn.q_bias' in own:
        block |= {'attn.q_bias': zeros, 'attn.v_bias': zeros}
    return block


def _fold_layer_scale(block: dict[str, Tensor]) -> dict[str, Tensor]:
    """Multiplies the learned factors of a residual branch into its last layer, which gives the same output."""
    for name, layer in _LAYER_SCALES.items():
        scale = block.pop(name, None)
        if scale is not None:
            block[f'{layer}.weight'] = block[f'{layer}.weight'] * scale[:, None]
            block[f'{layer}.bias'] = block[f'{layer}.bias'] * scale
    return block


def _convert_patch_embed(
    source: Mapping[str, Tensor], encoder: VisionTransformerEncoder | PromptedViTEncoder, notes: list[str]
) -> dict[str, Tensor]:
    weight, embed = source['patch_embed.proj.weight'], encoder.patch_embed
    adapted = adapt_patch_embed(weight, embed.patch, embed.in_channels)
    if adapted.shape != weight.shape:
        notes.append(f'patch embedding {tuple(weight.shape[1:])} adapted to {tuple(adapted.shape[1:])}')
    bias = source.get('patch_embed.proj.bias')
    bias = torch.zeros(len(weight)) if bias is None else bias
    return {'patch_embed.proj.weight': adapted, 'patch_embed.proj.bias': bias}


def _convert_norm(source: Mapping[str, Tensor], notes: list[str]) -> dict[str, Tensor]:
    name = next((name for name in ('norm', 'fc_norm') if f'{name}.weight' in source), None)
    if name is None:
        notes.append('the checkpoint has no final norm: the encoder keeps its initial one')
        return {}
    if name == 'fc_norm':
        notes.append("the final norm is the checkpoint's fc_norm, which it applied after pooling")
    return {f'norm.{part}': source[f'{name}.{part}'] for part in ('weight', 'bias')}


def _check_fit(state: Mapping[str, Tensor], encoder: VisionTransformerEncoder | PromptedViTEncoder) -> None:
    own = encoder.state_dict()
    problems = [
        f'{name} is {tuple(value.shape)}, the encoder has {tuple(own[name].shape) if name in own else "none"}'
        for name, value in state.items()
        if name not in own or own[name].shape != value.shape
    ]
    problems += [f'{name} is missing' for name in own if name not in state and name.startswith('blocks.')]
    if problems:
        more = f' (and {len(problems) - 3} more)' if len(problems) > 3 else ''
        raise ValueError(f'the checkpoint does not fit the encoder: {"; ".join(problems[:3])}{more}')
