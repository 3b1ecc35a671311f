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


@torch.no_grad()
def gather_in_order(rows: Tensor) -> Tensor:
    """Joins every rank's rows in the order of the sampler, without a gradient.

    Samplers give sample i of a step to rank ``i % world size``. So the order is the first row of every rank, then the
    second of every rank, and so on. It is the order of one process with the batch of all ranks.

    Args:
        rows: ``(B, ...)`` of this rank. Ranks may have different B.

    Returns:
        ``(sum of B, ...)``, the same on every rank.
    """
    if not dist.is_available() or not dist.is_initialized() or dist.get_world_size() == 1:
        return rows
    sizes = [torch.zeros((), dtype=torch.long, device=rows.device) for _ in range(dist.get_world_size())]
    dist.all_gather(sizes, torch.tensor(rows.shape[0], device=rows.device))
    counts = torch.stack(sizes)
    longest = int(counts.max())
    padded = torch.cat([rows, rows.new_zeros(longest - rows.shape[0], *rows.shape[1:])])
    parts = [torch.empty_like(padded) for _ in sizes]
    dist.all_gather(parts, padded)
    is_real = torch.arange(longest, device=rows.device).unsqueeze(1) < counts  # (longest, ranks)
    return torch.stack(parts, dim=1)[is_real]  # (longest, ranks, ...) -> (sum of B, ...)
