"""Candidate labels that are refined from epoch to epoch, by what the model predicts among them."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from mmengine.dist import all_gather_object
from torch import Tensor

from hicmae_mm.models.heads import ClassificationHead
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream


@MODELS.register_module()
class CandidateHead(ClassificationHead):
    """A classifier whose target is a distribution over the candidate classes of a clip.

    The distribution starts evenly over the candidates. After every step it moves towards the prediction of the model,
    restricted to the candidates. It is a buffer, so that a resumed training goes on with it. All ranks exchange their
    clips, so that the buffer is the same everywhere.

    Args:
        in_channels: Length of the feature; injected by the model.
        num_classes: Number of classes.
        num_samples: Number of clips of the training list.
        momentum: Share of the old distribution in the new one.
    """

    refined: Tensor

    def __init__(self, in_channels: int, num_classes: int, num_samples: int, momentum: float = 0.7) -> None:
        super().__init__(in_channels, num_classes)
        self.momentum = momentum
        self.register_buffer('refined', torch.zeros(num_samples, num_classes))

    def loss(self, features: Stream, data_samples: list[EmotionDataSample]) -> dict[str, Any]:
        logits = self(features).float()  # (B, C)
        candidates = torch.stack([self._candidates(sample) for sample in data_samples]).to(logits)
        indices = torch.tensor([int(sample.sample_idx) for sample in data_samples])
        known = self.refined[indices.to(logits.device)]
        target = torch.where(known.sum(1, keepdim=True) > 0, known, candidates / candidates.sum(1, keepdim=True))
        self._refine(indices, target, logits.detach().softmax(dim=-1) * candidates)
        return dict(loss=-(target * logits.log_softmax(dim=-1)).sum(dim=1).mean())

    def _candidates(self, sample: EmotionDataSample) -> Tensor:
        if 'gt_candidates' in sample:
            return sample.target('candidates').float()
        return F.one_hot(sample.gt_label[0], self.num_classes).float()

    def _refine(self, indices: Tensor, target: Tensor, predicted: Tensor) -> None:
        predicted = predicted / predicted.sum(dim=1, keepdim=True).clamp(min=1e-6)
        rows = self.momentum * target + (1 - self.momentum) * predicted
        for their_indices, their_rows in all_gather_object((indices, rows.cpu())):
            self.refined[their_indices.to(rows.device)] = their_rows.to(rows.device)
