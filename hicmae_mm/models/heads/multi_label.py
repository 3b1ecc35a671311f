"""Classes that do not exclude each other, such as action units."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.models.heads.base import LinearHead, average_views
from hicmae_mm.models.heads.rows import frames_of_clips, rows_with_target
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream


@MODELS.register_module()
class MultiLabelHead(LinearHead):
    """Predicts the probability of each label by binary cross entropy, averaged over the views of a clip.

    The prediction is ``pred_{target}`` with probabilities ``(L,)``. With the level ``'frame'`` it is ``(T, L)``.

    Args:
        in_channels: Length of the feature; injected by the model.
        num_labels: Number of labels L.
        target: Name of the target in the data samples: 0 or 1 for each label.
        level: ``'clip'``, or ``'frame'`` for labels in each time step.
        ignore: Value of single labels that do not count, such as -1.
        pos_weight: Factor of the loss of each label where the label is present. ``None`` means 1.
        init_scale: Multiplies the linear layer's initial weights.
        norm: Whether the features pass a LayerNorm first.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the number of entries in ``pos_weight`` is not the number of labels.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.heads import MultiLabelHead
        >>> MultiLabelHead(in_channels=8, num_labels=12)(torch.randn(4, 8)).shape
        torch.Size([4, 12])
    """

    def __init__(
        self,
        in_channels: int,
        num_labels: int,
        target: str = 'action_units',
        level: str = 'clip',
        ignore: float | None = None,
        pos_weight: list[float] | None = None,
        init_scale: float = 0.001,
        norm: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(in_channels, num_labels, init_scale, level, target, ignore, norm, init_cfg)
        if pos_weight is not None and len(pos_weight) != num_labels:
            raise ValueError(f'pos_weight has {len(pos_weight)} entries, there are {num_labels} labels')
        weight = None if pos_weight is None else torch.tensor(pos_weight)
        self.register_buffer('pos_weight', weight, persistent=False)
        self.prediction_field = f'pred_{target}'

    def example_target(self, num_steps: int | None, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`LinearHead.example_target`; 0 or 1 for every label."""
        steps = () if num_steps is None else (num_steps,)
        return torch.randint(2, (*steps, self.fc.out_features), generator=generator)

    def loss(self, features: Stream, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Returns the mean loss of the labels that count; it is 0 where none does."""
        logits = self(features).float()
        rows, targets = rows_with_target(features, data_samples, self.target, self.level, ignore=None)
        counts = torch.ones_like(targets, dtype=torch.bool) if self.ignore is None else targets != self.ignore
        if not bool(counts.any()):  # on the host
            return {'loss': logits.sum() * 0}
        weight = (counts / counts.sum()).to(logits.device, non_blocking=True)  # (N, L)
        known = targets.masked_fill(~counts, 0).float().to(logits.device, non_blocking=True)
        chosen = logits.flatten(0, -2).index_select(0, rows.to(logits.device, non_blocking=True))  # (N, L)
        return {
            'loss': F.binary_cross_entropy_with_logits(
                chosen, known, weight, reduction='sum', pos_weight=self.pos_weight
            )
        }

    def predict(self, features: Stream, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Sets the probabilities of every sample."""
        scores = self(features).float().sigmoid()
        clips = (
            average_views(scores, data_samples).cpu()
            if self.level == 'clip'
            else frames_of_clips(scores.cpu(), features, data_samples)
        )
        for sample, score in zip(data_samples, clips):
            sample.set_prediction(self.prediction_field, score)
        return data_samples
