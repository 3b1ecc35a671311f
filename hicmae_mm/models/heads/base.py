"""Defines the contract of a prediction head, and averages over views."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.heads.rows import LEVELS, rows_with_target, values_of
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.structures import EmotionDataSample, Stream


class BaseHead(BaseModule, metaclass=ABCMeta):
    """This is the base class of heads, which turn features into losses or predictions.

    Attributes:
        level: ``'clip'``: the features are ``(sum of views, in_channels)``. ``'frame'``: one feature per time step,
            ``(sum of views, T, in_channels)`` or :class:`~hicmae_mm.structures.Padded`.
        prediction_field: Field of the data samples that :meth:`predict` fills in, so that several heads on one feature
            can tell whether they would overwrite each other.
    """

    prediction_field: str
    level: str = 'clip'

    @abstractmethod
    def loss(self, features: Any, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Losses of the features, of the level that the head is for."""

    @abstractmethod
    def predict(self, features: Any, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Fills in the predictions, averaged over each clip's views."""


class LinearHead(BaseHead):
    """This is the base class of heads of one task: LayerNorm and a linear layer with small initial weights.

    Args:
        in_channels: Length of the feature; injected by the model.
        out_channels: Outputs of the linear layer.
        init_scale: Multiplies the linear layer's initial weights (HiCMAE, "Fine-tuning": 0.001).
        level: ``'clip'``, or ``'frame'`` for a prediction per time step.
        target: Name of the target in the data samples.
        ignore: Value of targets that do not count; ``None`` means all count.
        norm: Whether the features pass a LayerNorm first.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the level is unknown.
    """

    __call__: Callable[..., Tensor]

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        init_scale: float = 0.001,
        level: str = 'clip',
        target: str = 'label',
        ignore: float | None = None,
        norm: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if level not in LEVELS:
            raise ValueError(f'level must be one of {LEVELS}, got {level!r}')
        self.level, self.target, self.ignore = level, target, ignore
        self.norm = nn.LayerNorm(in_channels, eps=NORM_EPS) if norm else nn.Identity()
        self.fc = nn.Linear(in_channels, out_channels)
        nn.init.trunc_normal_(self.fc.weight, std=0.02)
        self.fc.weight.data.mul_(init_scale)
        nn.init.zeros_(self.fc.bias)

    def forward(self, features: Stream) -> Tensor:
        """Maps ``(..., in_channels)`` to ``(..., out_channels)``; padding of sequences holds arbitrary values."""
        output: Tensor = self.fc(self.norm(values_of(features)))
        return output

    def example_target(self, num_steps: int | None, generator: torch.Generator | None = None) -> Tensor | None:  # noqa: ARG002
        """Returns a random target of one clip, to count and to time a model with.

        Args:
            num_steps: Time steps T of a head of frames; ``None`` for a head of clips.
            generator: Generator of random numbers.

        Returns:
            One entry for the clip or for each step, ``(...)`` or ``(T, ...)``; ``None`` if the head does not say.
        """
        return None

    def masked_loss(
        self, outputs: Tensor, features: Stream, data_samples: list[EmotionDataSample], criterion: nn.Module
    ) -> Tensor:
        """Computes the loss of the rows whose target counts; 0 where none does, so that every rank has a gradient.

        Args:
            outputs: Outputs of the head, ``(sum of views[, T], C)``.
            features: Features from which they were computed.
            data_samples: Samples with the targets.
            criterion: Loss of ``(N, C)`` and targets ``(N, ...)``. If its ``by_sequence`` is true, it also gets the
                number of the sequence ``(N,)`` of each row, on the host; without frames all rows are one sequence.
        """
        rows, targets = rows_with_target(features, data_samples, self.target, self.level, self.ignore)
        if not len(rows):
            return outputs.sum() * 0
        device = outputs.device
        values = outputs.flatten(0, -2).index_select(0, rows.to(device, non_blocking=True))  # (N, C)
        targets = targets.to(device, non_blocking=True)
        loss: Tensor
        if getattr(criterion, 'by_sequence', False):
            steps = outputs.shape[1] if self.level == 'frame' else outputs.shape[0]
            loss = criterion(values, targets, rows // steps)
        else:
            loss = criterion(values, targets)
        return loss


def views_per_clip(data_samples: list[EmotionDataSample]) -> list[int]:
    """Returns the number of consecutive rows of a batch that belong to each clip."""
    return [int(sample.get('num_views', 1)) for sample in data_samples]


def repeat_for_views(labels: Tensor, data_samples: list[EmotionDataSample]) -> Tensor:
    """Repeats per-clip labels ``(B, ...)`` for every view, ``(sum of views, ...)``."""
    counts = views_per_clip(data_samples)
    return labels if max(counts) == 1 else labels.repeat_interleave(torch.tensor(counts, device=labels.device), dim=0)


def average_views(values: Tensor, data_samples: list[EmotionDataSample]) -> Tensor:
    """Averages rows ``(sum of views, C)`` per clip, ``(B, C)``."""
    return torch.stack([part.mean(dim=0) for part in values.split(views_per_clip(data_samples))])
