"""Fixed sine-cosine position tables."""

from __future__ import annotations

import torch
from torch import Tensor


def sine_positions(num_tokens: int, embed_dims: int) -> Tensor:
    """Makes a one-dimensional table over the flattened token index (HiCMAE, "Inputs"; not learned, not in checkpoints).

    ``angle(pos, j) = pos / 10000^(2*floor(j/2)/D)``, sine on even ``j``, cosine on odd ``j``, computed in float64.

    Returns:
        ``(1, N, D)`` float32.
    """
    channel = torch.arange(embed_dims, dtype=torch.float64)
    angles = torch.arange(num_tokens, dtype=torch.float64)[:, None] / 10000 ** (2 * (channel // 2) / embed_dims)
    table = torch.where(channel % 2 == 0, angles.sin(), angles.cos())  # (N, D)
    return table.float().unsqueeze(0)
