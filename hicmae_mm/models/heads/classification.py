"""Emotion classes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.heads.base import LinearHead, average_views, repeat_for_views
from hicmae_mm.models.heads.rows import frames_of_clips
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream


@MODELS.register_module()
class ClassificationHead(LinearHead):
    """Predicts scores of exclusive emotion classes. Softmax scores are averaged over the views of a clip.

    The predictions are ``pred_score`` and ``pred_label``. If the target is not ``label``, they are
    ``pred_{target}_score`` and ``pred_{target}``. With the level ``'frame'`` they have a row for each time step.

    Args:
        in_channels: Length of the feature; injected by the model.
        num_classes: Number of classes C.
        loss: Loss of logits against class indices or label distributions.
        init_scale: Multiplies the linear layer's initial weights.
        level: ``'clip'``, or ``'frame'`` for a class in each time step.
        target: Name of the target in the data samples.
        ignore: Class index of clips or frames that do not count, such as -1.
        norm: Whether the features pass a LayerNorm first.
        init_cfg: MMEngine initialisation config.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.heads import ClassificationHead
        >>> from hicmae_mm.structures import EmotionDataSample
        >>> head = ClassificationHead(in_channels=8, num_classes=3)
        >>> (sample,) = head.predict(torch.randn(1, 8), [EmotionDataSample(metainfo=dict(num_views=1))])
        >>> sample.pred_score.shape
        torch.Size([3])
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        loss: dict[str, Any] | nn.Module = {'type': 'SoftCrossEntropyLoss'},  # noqa: B006
        init_scale: float = 0.001,
        level: str = 'clip',
        target: str = 'label',
        ignore: int | None = None,
        norm: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(in_channels, num_classes, init_scale, level, target, ignore, norm, init_cfg)
        self.score_field, self.label_field = 'pred_score', 'pred_label'
        if target != 'label':
            self.score_field, self.label_field = f'pred_{target}_score', f'pred_{target}'
        self.prediction_field = self.score_field
        self.num_classes = num_classes
        self.criterion: nn.Module = build_slot(loss, 'head.loss')

    def example_target(self, num_steps: int | None, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`LinearHead.example_target`; a class for the clip or for each step."""
        return torch.randint(self.num_classes, () if num_steps is None else (num_steps,), generator=generator)

    def loss(self, features: Stream, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Loss against the target; of clips against ``gt_score`` (mixed labels) where every sample has one."""
        logits = self(features).float()
        if self.level == 'frame' or self.target != 'label' or self.ignore is not None:
            return {'loss': self.masked_loss(logits, features, data_samples, self.criterion)}
        if all('gt_score' in sample for sample in data_samples):
            target = torch.stack([sample.gt_score for sample in data_samples])  # (B, C)
        else:
            target = torch.cat([sample.gt_label for sample in data_samples])  # (B,)
        target = repeat_for_views(target.to(logits.device, non_blocking=True), data_samples)
        return {'loss': self.criterion(logits, target)}

    def predict(self, features: Stream, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Sets scores and classes of every sample."""
        scores = self(features).float().softmax(dim=-1)
        clips = (
            average_views(scores, data_samples).cpu()
            if self.level == 'clip'
            else frames_of_clips(scores.cpu(), features, data_samples)
        )
        for sample, score in zip(data_samples, clips):
            if self.prediction_field == 'pred_score' and self.level == 'clip':
                sample.set_pred_score(score)
            else:
                sample.set_prediction(self.score_field, score)
                sample.set_prediction(self.label_field, score.argmax(dim=-1))
        return data_samples
