"""Candidate labels that are refined from epoch to epoch, by what the model predicts among them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.models import SampleMemory
from hicmae_mm.models.heads import ClassificationHead
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream


@MODELS.register_module()
class CandidateHead(ClassificationHead):
    """A classifier whose target is a distribution over the candidate classes of a clip.

    The distribution starts evenly over the candidates. After every step it moves towards the prediction of the model,
    restricted to the candidates.

    Args:
        in_channels: Length of the feature; injected by the model.
        num_classes: Number of classes.
        momentum: Share of the old distribution in the new one.
    """

    def __init__(self, in_channels: int, num_classes: int, momentum: float = 0.7) -> None:
        super().__init__(in_channels, num_classes)
        self.momentum = momentum
        self.refined = SampleMemory(num_classes)

    def loss(self, features: Stream, data_samples: list[EmotionDataSample]) -> dict[str, Any]:
        logits = self(features).float()  # (B, C)
        candidates = torch.stack([self._candidates(sample) for sample in data_samples]).to(logits)
        target = self.refined.read(data_samples, candidates / candidates.sum(dim=1, keepdim=True))
        predicted = logits.detach().softmax(dim=-1) * candidates
        predicted = predicted / predicted.sum(dim=1, keepdim=True).clamp(min=1e-6)
        self.refined.write(data_samples, self.momentum * target + (1 - self.momentum) * predicted)
        return dict(loss=-(target * logits.log_softmax(dim=-1)).sum(dim=1).mean())

    def _candidates(self, sample: EmotionDataSample) -> Tensor:
        if 'gt_candidates' in sample:
            return sample.target('candidates').float()
        return F.one_hot(sample.gt_label[0], self.num_classes).float()
