"""Classification loss on hard or mixed labels."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.registry import MODELS


@MODELS.register_module()
class SoftCrossEntropyLoss(nn.Module):
    """Cross entropy against class indices or label distributions (mixup), with label smoothing on either.

    Args:
        label_smoothing: Share of each label spread evenly over all classes.
        loss_weight: Multiplies the loss.
    """

    def __init__(self, label_smoothing: float = 0.0, loss_weight: float = 1.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f'label_smoothing must be in [0, 1), got {label_smoothing}')
        self.label_smoothing, self.loss_weight = label_smoothing, loss_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Weighted mean of ``(B, C)`` logits against ``(B,)`` indices or ``(B, C)`` distributions."""
        return self.loss_weight * F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
