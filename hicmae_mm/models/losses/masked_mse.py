"""Reconstruction loss."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.registry import MODELS


@MODELS.register_module()
class MaskedMSELoss(nn.Module):
    """Computes the mean squared error over the masked tokens, which are the only ones predicted.

    Args:
        loss_weight: Multiplies the loss.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import MaskedMSELoss
        >>> predicted, target = torch.zeros(1, 5, 2), torch.tensor([1.0, 3.0]).expand(1, 5, 2)
        >>> MaskedMSELoss()(predicted, target).item()
        5.0
        >>> MaskedMSELoss()(predicted, target, weights=torch.tensor([1.0, 0.0])).item()
        0.5
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(self, prediction: Tensor, target: Tensor, weights: Tensor | None = None) -> Tensor:
        """Averages the squared error over ``(B, M, P)`` in float32, times ``loss_weight``.

        Args:
            prediction: ``(B, M, P)``.
            target: ``(B, M, P)``.
            weights: Factors of the squared errors, which broadcast to ``(B, M, P)``; ``None`` means all 1.
        """
        if weights is None:
            return self.loss_weight * F.mse_loss(prediction.float(), target)
        return self.loss_weight * ((prediction.float() - target).square() * weights).mean()
