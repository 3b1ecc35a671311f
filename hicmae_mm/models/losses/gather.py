"""Collecting features from all ranks without cutting the gradient."""

from __future__ import annotations

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def gather_with_gradient(features: Tensor) -> tuple[Tensor, int]:
    """Concatenates every rank's features; gradients flow back to the rank that made them.

    Ranks may hold different numbers of clips: shorter batches are padded for the exchange and cut again after it.

    Args:
        features: ``(B, D)`` of this rank.

    Returns:
        ``(sum of B, D)`` of all ranks in rank order, and the row at which this rank's features begin.
    """
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return features, 0
    sizes = [torch.zeros((), dtype=torch.long, device=features.device) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor(features.shape[0], device=features.device))
    counts = torch.stack(sizes).tolist()
    padded = torch.nn.functional.pad(features, (0, 0, 0, max(counts) - features.shape[0]))
    gathered = all_gather(padded)
    return torch.cat([part[:count] for part, count in zip(gathered, counts)]), sum(counts[: dist.get_rank()])
