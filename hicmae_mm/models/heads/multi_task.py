"""Several tasks on one clip feature, such as emotion class and valence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mmengine.model import ModuleDict
from torch import Tensor

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.heads.base import BaseHead
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream


@MODELS.register_module()
class MultiTaskHead(BaseHead):
    """Uses one head for each task on the same feature. Losses are weighted and summed, and samples get all predictions.

    An example is the track MER-MULTI of MER2023: ``heads=dict(emotion=dict(type='ClassificationHead', num_classes=6),
    valence=dict(type='RegressionHead', num_outputs=1))`` with data of ``task='multitask'``. Every sample needs the
    labels of all tasks.

    Args:
        in_channels: Length of the clip feature; injected by the model.
        heads: A head for each task.
        loss_weights: Factor of the losses of each task. The factor of tasks that are not named is 1.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If there is no head, a weight names no task, tasks have different levels, or two heads predict the
            same field.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.heads import MultiTaskHead
        >>> tasks = dict(emotion=dict(type='ClassificationHead', num_classes=6))
        >>> tasks['valence'] = dict(type='RegressionHead', num_outputs=1)
        >>> head = MultiTaskHead(in_channels=8, heads=tasks, loss_weights=dict(valence=0.25))
        >>> {name: tuple(out.shape) for name, out in head(torch.randn(4, 8)).items()}
        {'emotion': (4, 6), 'valence': (4, 1)}
    """

    def __init__(
        self,
        in_channels: int,
        heads: Mapping[str, dict[str, Any] | BaseHead],
        loss_weights: Mapping[str, float] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not heads:
            raise ValueError('heads is empty; name at least one task, e.g. heads=dict(emotion=dict(type=...))')
        unknown = set(loss_weights or {}) - set(heads)
        if unknown:
            raise ValueError(f'loss_weights names {sorted(unknown)}, but the tasks are {sorted(heads)}')
        self.heads: Mapping[str, BaseHead] = ModuleDict(
            {name: build_slot(cfg, f'head.heads.{name}', in_channels=in_channels) for name, cfg in heads.items()}
        )
        levels = {name: part.level for name, part in self.heads.items()}
        if len(set(levels.values())) > 1:
            raise ValueError(f'the tasks are of different levels, {levels}; all of them need features of one level')
        self.level = next(iter(levels.values()))
        self.loss_weights = dict.fromkeys(heads, 1.0) | dict(loss_weights or {})
        fields = [head.prediction_field for head in self.heads.values()]
        if len(set(fields)) < len(fields):
            raise ValueError(
                f'the tasks {list(heads)} predict the fields {fields}, and would overwrite each other; '
                'give them targets of their own, or one head several outputs'
            )

    def forward(self, features: Stream) -> dict[str, Tensor]:
        """Maps ``(B, in_channels)`` to ``(B, outputs of the task)`` for every task."""
        return {name: head(features) for name, head in self.heads.items()}

    def loss(self, features: Stream, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Returns the weighted losses of every task, ``loss_{task}``."""
        losses = {}
        for name, head in self.heads.items():
            for key, value in head.loss(features, data_samples).items():
                losses[f'{key}_{name}'] = self.loss_weights[name] * value
        return losses

    def predict(self, features: Stream, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Sets the predictions of every task."""
        for head in self.heads.values():
            data_samples = head.predict(features, data_samples)
        return data_samples
