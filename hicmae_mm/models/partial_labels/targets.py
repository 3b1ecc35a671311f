"""Targets over candidate labels and their update from epoch to epoch (ALIM, Lian et al., 2023)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

FORMS = ('onehot', 'scale')


def uniform_target(candidates: Tensor) -> Tensor:
    """Computes equal shares of the candidates: ``(B, C)`` bool to ``(B, C)`` float."""
    counted = candidates.float()
    return counted / counted.sum(dim=1, keepdim=True)


def adjusted_target(
    scores: Tensor, candidates: Tensor, importance: float | Tensor = 0.0, form: str = 'scale'
) -> Tensor:
    """Computes the target of scores ``(B, C)``, in which labels outside of the candidates count ``importance`` times.

    Args:
        scores: ``(B, C)`` scores of prototypes or classifier.
        candidates: ``(B, C)`` bool.
        importance: Weight of labels that are no candidates; 0 means candidates only.
        form: ``'onehot'``: the largest alone. ``'scale'``: divided by the sum.

    Raises:
        ValueError: If the form is unknown.
    """
    if form not in FORMS:
        raise ValueError(f'form must be one of {FORMS}, got {form!r}')
    inside = candidates.to(scores.dtype)
    weighted = scores * (inside + importance * (1 - inside))
    if form == 'onehot':
        return F.one_hot(weighted.argmax(dim=1), scores.shape[1]).to(scores.dtype)
    return weighted / weighted.sum(dim=1, keepdim=True)


def update_target(target: Tensor, new: Tensor, momentum: float) -> Tensor:
    """Computes the moving average of targets ``(B, C)``."""
    return momentum * target + (1 - momentum) * new


def target_momentum(epoch: int, num_epochs: int, first: float = 0.95, last: float = 0.8) -> float:
    """Computes the momentum of the epoch after ``epoch``, which is counted from 1.

    The first epoch uses 0.99 as published.
    """
    return first + epoch / num_epochs * (last - first)


def margin_ratio(scores: Tensor, candidates: Tensor) -> Tensor:
    """Divides the largest score of the candidates by the largest outside, ``(B,)``.

    Scores and candidates are ``(B, C)``.
    """
    inside = candidates.to(scores.dtype)
    return (scores * inside).amax(dim=1) / ((scores * (1 - inside)).amax(dim=1) + 1e-9)


def importance_of_others(ratios: Tensor, noise_rate: float, limit: float | None = 1.0) -> float:
    """Computes the importance at which the share ``noise_rate`` of the samples takes a label outside of its candidates.

    Args:
        ratios: ``(N,)`` of :func:`margin_ratio`, over all samples.
        noise_rate: Share of samples whose true label is expected not to be a candidate.
        limit: Largest importance; ``None`` means none.
    """
    if noise_rate <= 0:
        return 0.0
    value = float(torch.sort(ratios).values[int(len(ratios) * noise_rate)])
    return value if limit is None else min(value, limit)
