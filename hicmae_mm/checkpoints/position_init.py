"""Position tables of other vision transformers for the encoders of this package."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from hicmae_mm.checkpoints.resampling import adapt_positions, resize_position_grid
from hicmae_mm.models.encoders import PromptedViTEncoder, VisionTransformerEncoder
from hicmae_mm.models.layers import ImageEmbed, sine_positions


def convert_positions(
    source: Mapping[str, Tensor],
    encoder: VisionTransformerEncoder,
    source_grid: Sequence[int] | None,
    notes: list[str],
) -> dict[str, Tensor]:
    """Converts the position table for an encoder whose tokens are patches only.

    Args:
        source: Weights of the checkpoint, with the names of timm's vision transformer.
        encoder: The encoder.
        source_grid: Tokens of the table per axis; None derives them from its length.
        notes: Gets a sentence for what is adapted or left out.

    Returns:
        ``positions``, or nothing if the encoder keeps its own.

    Raises:
        ValueError: If the grid cannot be derived.
    """
    table = source.get('pos_embed')
    if table is not None:
        others = _num_leading(source)
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


def convert_prompted_positions(
    source: Mapping[str, Tensor],
    encoder: PromptedViTEncoder,
    source_grid: Sequence[int] | None,
    notes: list[str],
) -> dict[str, Tensor]:
    """Converts class token and positions for an encoder of [class token, patches, prompts].

    The table is resized bicubically over both axes, as MMA-DFER does it. Of a table of tubelets, an encoder of pictures
    takes the first time step. Prompts are learned, so that their own positions start at 0.

    Args:
        source: Weights of the checkpoint, with the names of timm's vision transformer.
        encoder: The encoder. It may be on the ``meta`` device.
        source_grid: Tokens of the table per axis; None derives them from its length.
        notes: Gets a sentence for what is adapted or left out.

    Returns:
        ``positions``, and ``cls_token`` if the checkpoint has one.

    Raises:
        ValueError: If the grid cannot be derived.
    """
    wanted = (encoder.patch_embed.grid[0], encoder.patch_embed.grid[1])
    state = {name: source[name] for name in ('cls_token',) if name in source}
    if not state:
        notes.append('the checkpoint has no class token: the encoder keeps its initial one, which needs training')
    table, first = source.get('pos_embed'), torch.zeros(1, 1, encoder.embed_dims)
    if table is None:
        grid = wanted
        if source_grid is not None:
            if len(source_grid) not in (2, 3):
                raise ValueError(f'--source-grid needs two or three numbers for pictures, got {list(source_grid)}')
            grid = (source_grid[-2], source_grid[-1])
        table = sine_positions(math.prod(grid), encoder.embed_dims)
        notes.append(f'the checkpoint stores no positions: those of a sine-cosine table of {grid} are taken')
    else:
        others = _num_leading(source)
        if state:
            first = table[:, :1]
        table = table[:, others:]
        grid = _grid_of_table(source, table.shape[1], encoder, source_grid)
        table = table[:, : math.prod(grid)]  # of several time steps the first
    if grid != wanted:
        notes.append(f'positions of a grid {grid} adapted to {wanted}')
        table = resize_position_grid(table, grid, wanted)
    prompts = torch.zeros(1, encoder.prompts.shape[0], encoder.embed_dims)
    return state | {'positions': torch.cat([first, table, prompts], dim=1)}


def _num_leading(source: Mapping[str, Tensor]) -> int:
    """Returns the number of tokens in front of the patches: class, distillation and register tokens."""
    return sum(source[name].shape[1] for name in ('cls_token', 'dist_token', 'reg_token') if name in source)


def _grid_of_table(
    source: Mapping[str, Tensor], count: int, encoder: PromptedViTEncoder, given: Sequence[int] | None
) -> tuple[int, int]:
    """Returns the last two axes of a position table with ``count`` patches.

    A table of tubelets also has a time axis.
    """
    rows, columns = encoder.patch_embed.grid
    if not isinstance(encoder.patch_embed, ImageEmbed):
        grid: tuple[int, ...] = (rows, columns)  # of a spectrogram
    elif source['patch_embed.proj.weight'].ndim == 5:
        grid = (max(count // (rows * columns), 1), rows, columns)
    else:
        grid = (math.isqrt(count), math.isqrt(count))
    told = _told_grid(count, grid, given)
    return told[-2], told[-1]


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
