"""Contrast between two views of the same clips."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.losses.gather import gather_with_gradient
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class InfoNCELoss(nn.Module):
    """Computes symmetric InfoNCE: each clip's two vectors against those of the other clips (HiCMAE, "Pre-training").

    Args:
        temperature: Divides the cosine similarities.
        gather: Whether to take negatives from all ranks, with gradients. By default, as published, they come from the
            local batch only.
        loss_weight: Multiplies the loss.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.losses import InfoNCELoss
        >>> video = torch.eye(4)  # vectors of four clips
        >>> loss = InfoNCELoss(temperature=0.1)
        >>> bool(loss(video, video) < loss(video, video.flip(0)))
        True
    """

    def __init__(self, temperature: float = 0.07, gather: bool = False, loss_weight: float = 1.0) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(f'temperature must be positive, got {temperature}')
        self.temperature, self.gather, self.loss_weight = temperature, gather, loss_weight

    def logits(self, first: Tensor, second: Tensor) -> Tensor:
        """Computes cosine similarities over the temperature: ``(B, D)`` and ``(B', D)`` give ``(B, B')``."""
        return F.normalize(first, dim=-1) @ F.normalize(second, dim=-1).T / self.temperature

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Computes the weighted loss of ``(B, D)`` against ``(B, D)``, averaged over clips and over both directions."""
        labels = torch.arange(first.shape[0], device=first.device)
        all_first, all_second = first, second
        if self.gather:
            all_first, offset = gather_with_gradient(first)
            all_second, _ = gather_with_gradient(second)
            labels = labels + offset
        forth = F.cross_entropy(self.logits(first, all_second), labels)
        back = F.cross_entropy(self.logits(second, all_first), labels)
        return self.loss_weight * (forth + back) / 2
