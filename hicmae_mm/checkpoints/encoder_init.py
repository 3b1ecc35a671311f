"""Converts checkpoints of other vision transformers to initial weights of an encoder.

Their blocks compute the same functions as those of this package, so their weights are copied or folded exactly. Patch
embeddings and position tables are resampled if sizes differ. docs/checkpoints.md lists the names.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from hicmae_mm.checkpoints.resampling import adapt_patch_embed, adapt_positions
from hicmae_mm.models.encoders import VisionTransformerEncoder
from hicmae_mm.models.layers import sine_positions


@dataclass(frozen=True)
class _Layout:
    """Parameter names of a family of checkpoints: possible prefixes of an encoder, and parts of names to replace."""

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
    encoder: VisionTransformerEncoder,
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
        source_grid: Numbers of tokens along the axes of the position table of the checkpoint, (time, rows, columns) or
            (time, mel). None derives them from the length of the table.

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
    result.state.update(_convert_positions(source, encoder, source_grid, result.notes))
    used = ('blocks.', 'patch_embed.proj.', 'norm.', 'fc_norm.', 'pos_embed')
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
    source: Mapping[str, Tensor], encoder: VisionTransformerEncoder, layers: Sequence[int] | None, notes: list[str]
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
        block = _fold_layer_scale(_split_qkv_bias(blocks[number], own))
        foreign = sorted(block.keys() - own)
        if foreign:
            raise ValueError(f'blocks.{number} has {foreign}: its blocks compute something that this encoder cannot')
        state.update({f'blocks.{index}.{name}': value for name, value in block.items()})
    return state


def _split_qkv_bias(block: Mapping[str, Tensor], own: set[str]) -> dict[str, Tensor]:
    """Splits the joint bias into biases of queries and values.

    The bias of the keys is left out: it adds the same number to all scores of a query, which softmax ignores.
    """
    block = dict(block)
    joint = block.pop('attn.qkv.bias', None)
    if joint is not None:
        query, _, value = joint.chunk(3)
        block |= {'attn.q_bias': query, 'attn.v_bias': value}
    elif 'attn.q_bias' not in block and 'attn.q_bias' in own:
        zeros = torch.zeros(block['norm1.weight'].numel())
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
    source: Mapping[str, Tensor], encoder: VisionTransformerEncoder, notes: list[str]
) -> dict[str, Tensor]:
    weight = source['patch_embed.proj.weight']
    adapted = adapt_patch_embed(weight, encoder.patch, encoder.in_channels)
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


def _convert_positions(
    source: Mapping[str, Tensor],
    encoder: VisionTransformerEncoder,
    source_grid: Sequence[int] | None,
    notes: list[str],
) -> dict[str, Tensor]:
    table = source.get('pos_embed')
    if table is not None:
        others = sum(source[name].shape[1] for name in ('cls_token', 'dist_token', 'reg_token') if name in source)
        if table.shape[1] != math.prod(source_grid or encoder.grid):
            table = table[:, others:]  # tokens that are no patches come first
    elif source_grid is not None:
        table = sine_positions(math.prod(source_grid), encoder.embed_dims)
    learned = 'positions' in encoder.state_dict()
    if table is None:
        notes.append(
            "the checkpoint stores no positions: the encoder keeps its sine-cosine table, which is the checkpoint's if "
            'that was trained on the same grid; name another grid with --source-grid'
        )
        return {}
    if not learned:
        own = sine_positions(math.prod(encoder.grid), encoder.embed_dims)
        if table.shape != own.shape or not torch.allclose(table, own, atol=1e-5):
            notes.append(
                f"the checkpoint's positions ({table.shape[1]} tokens) are left out, the encoder's are fixed; "
                'learned_positions=True in its config keeps them'
            )
        return {}
    grid = _told_grid(table.shape[1], encoder.grid, source_grid)
    adapted = adapt_positions(table, grid, encoder.grid)
    if grid != encoder.grid:
        notes.append(f'positions of a grid {grid} adapted to {encoder.grid}')
    return {'positions': adapted}


def _told_grid(count: int, grid: tuple[int, ...], given: Sequence[int] | None) -> tuple[int, ...]:
    """Returns the grid of a position table with ``count`` tokens, for an encoder with ``grid``."""
    candidates: list[tuple[int, ...]] = [grid]
    if given is not None:
        candidates = [tuple(given)]
    elif len(grid) == 2:
        candidates.append((count // grid[1], grid[1]))  # another length, as many mel bins
    else:
        candidates += [(steps, math.isqrt(count // steps), math.isqrt(count // steps)) for steps in (grid[0], 1)]
    for candidate in candidates:
        if math.prod(candidate) == count and len(candidate) == len(grid):
            return candidate
    raise ValueError(
        f"the checkpoint's position table has {count} tokens, the encoder's grid is {grid}, and no grid like "
        f'{candidates} has so many: name {len(grid)} numbers with --source-grid'
    )


def _check_fit(state: Mapping[str, Tensor], encoder: VisionTransformerEncoder) -> None:
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
