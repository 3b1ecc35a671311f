"""The contract of a prediction head, and averaging over views."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.structures import EmotionDataSample


class BaseHead(BaseModule, metaclass=ABCMeta):
    """Base class of clip-level heads: features in, losses or predictions out.

    Attributes:
        prediction_field: Field of the data samples that :meth:`predict` fills in, so that several heads on one feature
            can tell whether they would overwrite each other.
    """

    prediction_field: str

    @abstractmethod
    def loss(self, features: Tensor, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Losses of clip features ``(sum of views, in_channels)``."""

    @abstractmethod
    def predict(self, features: Tensor, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Fills in the predictions, averaged over each clip's views."""


class LinearHead(BaseHead):
    """Base class of heads of one task: LayerNorm and a linear layer whose first weights are scaled down.

    Args:
        in_channels: Length of the clip feature; injected by the model.
        out_channels: Outputs of the linear layer.
        init_scale: Multiplies the linear layer's initial weights (HiCMAE, "Fine-tuning": 0.001).
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self, in_channels: int, out_channels: int, init_scale: float = 0.001, init_cfg: dict | list[dict] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.norm = nn.LayerNorm(in_channels, eps=NORM_EPS)
        self.fc = nn.Linear(in_channels, out_channels)
        nn.init.trunc_normal_(self.fc.weight, std=0.02)
        self.fc.weight.data.mul_(init_scale)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Tensor) -> Tensor:
        """``(B, in_channels) -> (B, out_channels)``."""
        return self.fc(self.norm(features))


def views_per_clip(data_samples: list[EmotionDataSample]) -> list[int]:
    """How many consecutive rows of a batch belong to each clip."""
    return [int(sample.get('num_views', 1)) for sample in data_samples]


def repeat_for_views(labels: Tensor, data_samples: list[EmotionDataSample]) -> Tensor:
    """Repeats per-clip labels ``(B, ...)`` for every view, ``(sum of views, ...)``."""
    counts = views_per_clip(data_samples)
    return labels if max(counts) == 1 else labels.repeat_interleave(torch.tensor(counts, device=labels.device), dim=0)


def average_views(values: Tensor, data_samples: list[EmotionDataSample]) -> Tensor:
    """Averages rows ``(sum of views, C)`` per clip, ``(B, C)``."""
    return torch.stack([part.mean(dim=0) for part in values.split(views_per_clip(data_samples))])
