"""Emotion dimensions: valence, arousal, dominance."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hicmae_mm.models.heads.base import LinearHead, average_views, repeat_for_views
from hicmae_mm.models.utils import build_slot
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample

ACTIVATIONS = {None: nn.Identity, 'sigmoid': nn.Sigmoid, 'tanh': nn.Tanh, 'relu': nn.ReLU}


@MODELS.register_module()
class RegressionHead(LinearHead):
    """Continuous emotion values; outputs are averaged over the views of a clip.

    Args:
        in_channels: Length of the clip feature; injected by the model.
        num_outputs: Number of dimensions.
        activation: Applied to the outputs: ``None``, ``'sigmoid'``, ``'tanh'`` or ``'relu'``; match the labels' range.
        loss: Loss of values against labels.
        init_scale: Multiplies the linear layer's initial weights.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: An unknown activation.
    """

    prediction_field = 'pred_values'

    def __init__(
        self,
        in_channels: int,
        num_outputs: int,
        activation: str | None = None,
        loss: dict | nn.Module = {'type': 'MSELoss'},  # noqa: B006
        init_scale: float = 0.001,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(in_channels, num_outputs, init_scale, init_cfg)
        if activation not in ACTIVATIONS:
            raise ValueError(f'activation must be one of {list(ACTIVATIONS)}, got {activation!r}')
        self.num_outputs = num_outputs
        self.activation: nn.Module = ACTIVATIONS[activation]()
        self.criterion: nn.Module = build_slot(loss, 'head.loss')

    def forward(self, features: Tensor) -> Tensor:
        """``(B, in_channels) -> (B, num_outputs)``, after the activation."""
        return self.activation(super().forward(features))

    def loss(self, features: Tensor, data_samples: list[EmotionDataSample]) -> dict[str, Tensor]:
        """Loss against ``gt_values``."""
        values = self(features).float()
        target = torch.stack([sample.gt_values for sample in data_samples]).to(values.device, non_blocking=True)
        return {'loss': self.criterion(values, repeat_for_views(target, data_samples))}

    def predict(self, features: Tensor, data_samples: list[EmotionDataSample]) -> list[EmotionDataSample]:
        """Sets ``pred_values`` of every sample."""
        for sample, values in zip(data_samples, average_views(self(features).float(), data_samples).cpu()):
            sample.set_pred_values(values)
        return data_samples
