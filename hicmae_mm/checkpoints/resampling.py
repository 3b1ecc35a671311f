"""Adapts patch embeddings and position tables to another input size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from timm.layers import resample_abs_pos_embed, resample_patch_embed
from timm.models import adapt_input_conv
from torch import Tensor


def adapt_patch_embed(weight: Tensor, patch: Sequence[int], in_channels: int) -> Tensor:
    """Resizes the kernel of a patch embedding so that resized input gives nearly the same tokens.

    Rows and columns are resized as in FlexiViT (pseudo-inverse of bicubic resizing). Time uses the pseudo-inverse of
    averaging or repeating frames: the kernel of a picture is distributed evenly over the frames of a tubelet, and the
    kernel of a tubelet is summed for a picture. Colour channels are summed to one channel, and one channel is
    distributed evenly over several.

    Args:
        weight: ``(D, C, rows, columns)`` or ``(D, C, frames, rows, columns)``.
        patch: Size of the new kernel along two or three axes.
        in_channels: Number of input channels of the new kernel.

    Returns:
        ``(D, in_channels, *patch)``.

    Raises:
        ValueError: If the kernel has neither two nor three axes, or its channels cannot be adapted.

    Example:
        >>> adapt_patch_embed(torch.rand(8, 3, 16, 16), patch=(2, 16, 16), in_channels=3).shape
        torch.Size([8, 3, 2, 16, 16])
    """
    if weight.ndim not in (4, 5):
        raise ValueError(f'a patch embedding has 4 or 5 axes, the checkpoint has {tuple(weight.shape)}')
    kernel = weight if weight.ndim == 5 else weight.unsqueeze(2)  # (D, C, T, H, W)
    frames, *size = patch if len(patch) == 3 else (1, *patch)
    kernel = _adapt_channels(kernel, in_channels)
    if kernel.shape[2] != frames:
        average = F.adaptive_avg_pool1d(torch.eye(kernel.shape[2]).unsqueeze(0), frames)[0].T  # (T', T)
        kernel = torch.einsum('dcthw,ts->dcshw', kernel, torch.linalg.pinv(average))
    if list(kernel.shape[3:]) != size:
        depth = kernel.shape[0]
        pictures = rearrange(kernel, 'd c t h w -> (d t) c h w')
        kernel = rearrange(resample_patch_embed(pictures, size), '(d t) c h w -> d c t h w', d=depth)
    return (kernel if len(patch) == 3 else kernel.squeeze(2)).contiguous()


def _adapt_channels(kernel: Tensor, in_channels: int) -> Tensor:
    channels = kernel.shape[1]
    if channels == in_channels:
        return kernel
    if channels == 1:
        return kernel.expand(-1, in_channels, -1, -1, -1) / in_channels
    if channels != 3:
        raise ValueError(f'{channels} input channels cannot be adapted to {in_channels}; only 1 and 3 can')
    # timm knows pictures only: frames and rows share an axis meanwhile
    adapted: Tensor = adapt_input_conv(in_channels, kernel.flatten(2, 3)).unflatten(2, kernel.shape[2:4])
    return adapted


def adapt_positions(table: Tensor, grid: Sequence[int], new_grid: Sequence[int]) -> Tensor:
    """Adapts a position table to another grid.

    The time axis is cut if the new grid is shorter, because a time step keeps its duration. It is interpolated
    linearly if the new grid is longer. Rows, columns and mel bins are interpolated bicubically, as in timm.

    Args:
        table: ``(1, N, D)``.
        grid: Numbers of tokens of the table along its axes, (time, rows, columns) or (time, mel).
        new_grid: Numbers of tokens of the result along its axes.

    Returns:
        ``(1, N', D)``, where N' is the product of ``new_grid``.
    """
    dims, size = table.shape[-1], list(grid[1:])
    table = table.reshape(grid[0], math.prod(size), dims)  # (T, R, D)
    if new_grid[0] <= grid[0]:
        table = table[: new_grid[0]]
    else:
        flat = table.flatten(1).T.unsqueeze(0)  # (1, R D, T)
        table = F.interpolate(flat, size=new_grid[0], mode='linear')[0].T.unflatten(1, (-1, dims))
    if size != list(new_grid[1:]):
        old, new = ([1, *axes] if len(axes) == 1 else list(axes) for axes in (size, new_grid[1:]))
        rows = rearrange(table, 't r d -> 1 r (t d)')
        rows = resample_abs_pos_embed(rows, new, old, num_prefix_tokens=0)
        table = rearrange(rows, '1 r (t d) -> t r d', d=dims)
    return table.reshape(1, -1, dims).contiguous()


def resize_position_grid(table: Tensor, grid: Sequence[int], new_grid: Sequence[int]) -> Tensor:
    """Resizes a position table of two axes bicubically, without antialiasing, and keeps leading tokens.

    MMA-DFER fits the tables of its pre-trained encoders in this way.

    Args:
        table: ``(1, P + N, D)``: P leading tokens, such as a class token, then the grid.
        grid: Its tokens per axis, N in product.
        new_grid: Numbers of tokens that are wanted.

    Returns:
        ``(1, P + N', D)``.
    """
    num_leading = table.shape[1] - math.prod(grid)
    leading, cells = table[:, :num_leading], table[:, num_leading:]
    cells = rearrange(cells, '1 (h w) d -> 1 d h w', h=grid[0])
    resized = F.interpolate(cells, size=tuple(new_grid), mode='bicubic', align_corners=False)
    return torch.cat([leading, rearrange(resized, '1 d h w -> 1 (h w) d')], dim=1)
