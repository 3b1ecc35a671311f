"""Cuts video and spectrograms into patches: one N-dimensional cut for both."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def token_grid(size: Sequence[int], patch: Sequence[int]) -> tuple[int, ...]:
    """Returns number of patches along each axis.

    Raises:
        ValueError: If an axis is not a multiple of its patch size.
    """
    if len(size) != len(patch) or any(s % p or s < p for s, p in zip(size, patch)):
        raise ValueError(f'input size {tuple(size)} is not a multiple of the patch size {tuple(patch)}')
    return tuple(s // p for s, p in zip(size, patch))


def patchify(x: Tensor, patch: Sequence[int], indices: Tensor | None = None) -> Tensor:
    """Cuts into patches laid out like a convolution kernel; with ``indices`` copies only those.

    Args:
        x: ``(B, C, S1, S2, ...)``, e.g. video ``(B, 3, T, H, W)`` or spectrogram ``(B, 1, T, F)``.
        patch: Patch size per axis.
        indices: ``(B, K)`` tokens wanted, all ``N`` without it.

    Returns:
        ``(B, K, C*P1*P2*...)``, channel first, then the patch's axes in order.
    """
    batch, channels, *size = x.shape
    grid, dims = token_grid(size, patch), len(patch)
    axes = [length for pair in zip(grid, patch) for length in pair]
    view = x.reshape(batch, channels, *axes)  # (B, C, G1, P1, G2, P2, ...)
    blocks = view.permute(0, *range(2, 2 + 2 * dims, 2), 1, *range(3, 3 + 2 * dims, 2))  # (B, G1, G2, ..., C, P1, ...)
    if indices is None:
        return blocks.flatten(1, dims).flatten(2)
    rows = torch.arange(batch, device=x.device)[:, None].expand_as(indices)
    lengths = [int(length) for length in grid]  # ints also under torch.jit.trace
    index = (rows, *torch.unravel_index(indices, lengths))
    return blocks[index].flatten(2)
