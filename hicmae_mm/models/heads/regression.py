"""Emotion dimensions: valence, arousal, dominance."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.heads.base import LinearHead, average_views, repeat_for_views
from hicmae_mm.models.heads.rows import frames_of_clips
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample, Stream

ACTIVATIONS = {None: nn.Identity, 'sigmoid': nn.Sigmoid, 'tanh': nn.Tanh, 'relu': nn.ReLU}


@MODELS.register_module()
class RegressionHead(LinearHead):
    """Predicts continuous emotion values. The outputs are averaged over the views of a clip.

    The prediction is ``pred_values``, or ``pred_{target}`` if the target is not ``values``. With the level ``'frame'``
    it has a row for each time step.

    Args:
        in_channels: Length of the feature; injected by the model.
        num_outputs: Number of dimensions.
        activation: Activation of the outputs: ``None``, ``'sigmoid'``, ``'tanh'`` or ``'relu'``. It must fit the range
            of the labels.
        loss: Loss of values against labels.
        init_scale: Multiplies the linear layer's initial weights.
        level: ``'clip'``, or ``'frame'`` for values in each time step.
        target: Name of the target in the data samples.
        ignore: Value of clips or frames that do not count, such as -5. One such value excludes the whole row.
        norm: Whether the features pass a LayerNorm first.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the activation is unknown.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.heads import RegressionHead
        >>> head = RegressionHead(in_channels=8, num_outputs=2, activation='tanh')  # valence and arousal in [-1, 1]
        >>> head(torch.randn(4, 8)).shape
        torch.Size([4, 2])
    """

    def __init__(
        self,
        in_channels: int,
        num_outputs: int,
        activation: str | None = None,
        loss: dict[str, Any] | nn.Module = {'type': 'MSELoss'},  # noqa: B006
        init_scale: float = 0.001,
        level: str = 'clip',
        target: str = 'values',
        ignore: float | None = None,
        norm: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(in_channels, num_outputs, init_scale, level, target, ignore, norm, init_cfg)
        self.prediction_field = f'pred_{target}'
        if activation not in ACTIVATIONS:
            raise ValueError(f'activation must be one of {list(ACTIVATIONS)}, got {activation!r}')
        self.num_outputs = num_outputs
        self.activation: nn.Module = ACTIVATIONS[activation]()
        self.criterion: nn.Module = build_slot(loss, 'head.loss')

    def forward(self, features: Stream) -> Tensor:
        """Maps ``(..., in_channels)`` to ``(..., num_outputs)``, after the activation."""
        values: Tensor = self.activation(super().forward(features))
        return values

    def example_target(self, num_steps: int | None, generator: torch.Generator | None = None) -> Tensor:
        """See :meth:`LinearHead.example_target`; values in 0..1."""
        steps = () if num_steps is None else (num_steps,)
        return torch.rand(*steps, self.num_outputs, generator=generator)

    def loss(self, features: Stream, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Loss against the target."""
        values = self(features).float()
        if self.level == 'frame' or self.target != 'values' or self.ignore is not None:
            return {'loss': self.masked_loss(values, features, data_samples, self.criterion)}
        target = torch.stack([sample.gt_values for sample in data_samples]).to(values.device, non_blocking=True)
        return {'loss': self.criterion(values, repeat_for_views(target, data_samples))}

    def predict(self, features: Stream, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Sets the values of every sample."""
        values = self(features).float()
        clips = (
            average_views(values, data_samples).cpu()
            if self.level == 'clip'
            else frames_of_clips(values.cpu(), features, data_samples)
        )
        for sample, value in zip(data_samples, clips):
            sample.set_prediction(self.prediction_field, value)
        return data_samples
