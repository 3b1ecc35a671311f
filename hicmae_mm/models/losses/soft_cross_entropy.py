"""Classification loss on hard or mixed labels."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.registry import MODELS


@MODELS.register_module()
class SoftCrossEntropyLoss(nn.Module):
    """Cross entropy against class indices or label distributions (mixup), with label smoothing on either.

    With ``class_weight`` w and smoothed labels q of labels t, the loss is ``-sum(w q log p) / sum(w t)`` over clips and
    classes: PyTorch's weighted mean for class indices, and the same for the same labels given as distributions.

    Args:
        label_smoothing: Share of each label spread evenly over all classes.
        loss_weight: Multiplies the loss.
        class_weight: Weight of every class, above 0, such as ``n / (C * n_c)`` for n clips, C classes and n_c clips of
            class c. None means all 1.

    Raises:
        ValueError: If a number is out of range.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import SoftCrossEntropyLoss
        >>> loss, logits = SoftCrossEntropyLoss(), torch.tensor([[2.0, 0.0]])
        >>> round(loss(logits, torch.tensor([0])).item(), 4)  # a class index
        0.1269
        >>> round(loss(logits, torch.tensor([[0.5, 0.5]])).item(), 4)  # a distribution
        1.1269
    """

    class_weight: Tensor | None

    def __init__(
        self, label_smoothing: float = 0.0, loss_weight: float = 1.0, class_weight: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f'label_smoothing must be in [0, 1), got {label_smoothing}')
        if class_weight is not None and (not class_weight or not all(0 < weight < math.inf for weight in class_weight)):
            raise ValueError(f'class_weight must be numbers above 0, one for each class, got {tuple(class_weight)}')
        self.label_smoothing, self.loss_weight = label_smoothing, loss_weight
        weights = None if class_weight is None else torch.tensor(class_weight, dtype=torch.float32)
        self.register_buffer('class_weight', weights, persistent=False)  # of the config, not of the checkpoint

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Computes the weighted mean of ``(B, C)`` logits against ``(B,)`` indices or ``(B, C)`` distributions.

        Raises:
            ValueError: If there is not one class weight for each class.
        """
        if self.class_weight is None:
            return self.loss_weight * F.cross_entropy(logits, target, label_smoothing=self.label_smoothing)
        num_classes = logits.shape[1]
        if len(self.class_weight) != num_classes:
            raise ValueError(f'class_weight has {len(self.class_weight)} numbers, the model {num_classes} classes')
        if target.dim() == 1:
            target = F.one_hot(target, num_classes)  # (B,) -> (B, C)
        weighted = target.to(logits.dtype) * self.class_weight  # (B, C)
        smoothed = (1 - self.label_smoothing) * weighted + self.label_smoothing / num_classes * self.class_weight
        return self.loss_weight * -(smoothed * logits.log_softmax(dim=1)).sum() / weighted.sum()
