"""Losses that compare a complete and an incomplete view of the same clips (EMT-DLFR)."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

ELEMENT_LOSSES = {'l1': F.l1_loss, 'mse': F.mse_loss, 'smooth_l1': F.smooth_l1_loss}


def attraction_loss(predicted: tuple[Tensor, Tensor], projected: tuple[Tensor, Tensor]) -> Tensor:
    """Computes the symmetric negative cosine similarity of two views; the projections are targets and get no gradient.

    Args:
        predicted: ``(B, D)`` of the complete and of the incomplete view.
        projected: ``(B, D)`` of the complete and of the incomplete view.

    Returns:
        Scalar between -1 and 1.
    """
    (first, second), (first_target, second_target) = predicted, projected
    similarity = F.cosine_similarity(first, second_target.detach()) + F.cosine_similarity(second, first_target.detach())
    return -0.5 * similarity.mean()


def restoration_loss(prediction: Tensor, target: Tensor, dropped: Tensor, kind: str = 'smooth_l1') -> Tensor:
    """Computes the mean error of the vectors that were dropped; it is 0 where none was.

    Args:
        prediction: ``(B, T, D)``.
        target: ``(B, T, D)``.
        dropped: ``(B, T)`` bool, True = real and dropped.
        kind: ``'l1'``, ``'mse'`` or ``'smooth_l1'``.
    """
    counted = dropped.unsqueeze(-1)
    # what does not count may hold anything, and must not reach the gradient
    error = ELEMENT_LOSSES[kind](prediction.masked_fill(~counted, 0), target.masked_fill(~counted, 0), reduction='sum')
    scalars = dropped.sum() * prediction.shape[-1]
    return error / scalars.clamp(min=1).to(torch.float32)
