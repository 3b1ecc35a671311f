"""Emotion classes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hicmae_mm.models.heads.base import LinearHead, average_views, repeat_for_views
from hicmae_mm.models.utils import build_slot
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample


@MODELS.register_module()
class ClassificationHead(LinearHead):
    """Scores of exclusive emotion classes; softmax is averaged over the views of a clip.

    Args:
        in_channels: Length of the clip feature; injected by the model.
        num_classes: Number of classes C.
        loss: Loss of logits against class indices or label distributions.
        init_scale: Multiplies the linear layer's initial weights.
        init_cfg: MMEngine initialisation config.
    """

    prediction_field = 'pred_score'

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        loss: dict | nn.Module = {'type': 'SoftCrossEntropyLoss'},  # noqa: B006
        init_scale: float = 0.001,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(in_channels, num_classes, init_scale, init_cfg)
        self.num_classes = num_classes
        self.criterion: nn.Module = build_slot(loss, 'head.loss')

    def loss(self, features: Tensor, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Loss against ``gt_score`` (mixed labels) where every sample has one, else ``gt_label``."""
        logits = self(features).float()
        if all('gt_score' in sample for sample in data_samples):
            target = torch.stack([sample.gt_score for sample in data_samples])  # (B, C)
        else:
            target = torch.cat([sample.gt_label for sample in data_samples])  # (B,)
        target = repeat_for_views(target.to(logits.device, non_blocking=True), data_samples)
        return {'loss': self.criterion(logits, target)}

    def predict(self, features: Tensor, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Sets ``pred_score`` and ``pred_label`` of every sample."""
        scores = average_views(self(features).float().softmax(dim=-1), data_samples).cpu()
        for sample, score in zip(data_samples, scores):
            sample.set_pred_score(score)
        return data_samples
