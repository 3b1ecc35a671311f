"""Puts patches together again, and changes the order of the values in a patch."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from einops import rearrange
from torch import Tensor

from hicmae_mm.models.layers.patchify import token_grid


def unpatchify(patches: Tensor, size: Sequence[int], patch: Sequence[int]) -> Tensor:
    """Joins all patches of ``patchify`` again: ``(B, N, C*P1*...) -> (B, C, S1, ...)``."""
    grid = token_grid(size, patch)
    dims, channels = len(grid), patches.shape[-1] // prod(patch)
    blocks = patches.reshape(patches.shape[0], *grid, channels, *patch)
    order = [0, 1 + dims] + [axis for i in range(dims) for axis in (1 + i, 2 + dims + i)]
    return blocks.permute(order).reshape(patches.shape[0], channels, *size)


def channels_last(patches: Tensor, channels: int) -> Tensor:
    """Maps ``(..., C*P)`` to ``(..., P*C)``: the layout of reconstruction targets, (frame, row, column, channel)."""
    return rearrange(patches, '... (c p) -> ... (p c)', c=channels)


def channels_first(patches: Tensor, channels: int) -> Tensor:
    """Inverts :func:`channels_last`."""
    return rearrange(patches, '... (p c) -> ... (c p)', c=channels)
