"""Picks tokens by index, puts them back, and averages them."""

from __future__ import annotations

from torch import Tensor


def gather_tokens(tokens: Tensor, indices: Tensor) -> Tensor:
    """Picks tokens by index: ``(B, N, D)``, ``(B, K)`` -> ``(B, K, D)``. A batch of one table is broadcast."""
    tokens = tokens.expand(indices.shape[0], -1, -1)
    return tokens.gather(1, indices.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]))


def scatter_tokens(tokens: Tensor, indices: Tensor, into: Tensor) -> Tensor:
    """Puts tokens back by index: ``(B, K, D)`` at ``(B, K)`` of a copy of ``into (B, N, D)``."""
    return into.scatter(1, indices.unsqueeze(-1).expand(-1, -1, tokens.shape[-1]), tokens)


def mean_tokens(tokens: Tensor, padding: Tensor | None = None) -> Tensor:
    """Averages tokens ``(B, N, D)`` to ``(B, D)``.

    Args:
        tokens: ``(B, N, D)``.
        padding: ``(B, N)`` bool, True = padding, which does not count. A row of nothing but padding gives 0.
    """
    if padding is None:
        return tokens.mean(dim=1)
    real = (~padding).unsqueeze(-1)  # (B, N, 1)
    return tokens.masked_fill(padding.unsqueeze(-1), 0).sum(dim=1) / real.sum(dim=1).clamp(min=1)
