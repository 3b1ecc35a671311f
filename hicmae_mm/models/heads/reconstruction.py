"""Reconstruction of masked tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.models.targets import PatchTarget
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask


@MODELS.register_module()
class ReconstructionHead(BaseModule):
    """Compares a decoder's predictions with a target made from the input. One per stream.

    Args:
        patch: Patch size of the stream's tokens; injected by the model.
        in_channels: Channels of the stream's input; injected by the model.
        target: Target of the prediction, e.g. ``dict(type='VideoPatchTarget')``.
        loss: Loss of predictions against targets. Its third argument are factors of the errors, which broadcast to
            ``(B, M, P)`` and have the mean 1, if not everything counts alike: the element weights of the target, and
            0 for predicted tokens that were not masked.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        patch: Sequence[int],
        in_channels: int,
        target: dict[str, Any] | PatchTarget,
        loss: dict[str, Any] | nn.Module,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.target: PatchTarget = build_slot(target, 'target', patch=patch, in_channels=in_channels)
        self.criterion: nn.Module = build_slot(loss, 'loss')
        self.out_channels = self.target.out_channels

    def loss(self, prediction: Tensor, x: Tensor, mask: TokenMask) -> Tensor:
        """Returns the scalar loss of predictions ``(B, M, P)`` for the input ``x``; only masked tokens count."""
        weights, counted = self.target.weights, mask.counted
        if counted is not None:
            share = counted.unsqueeze(-1) / counted.float().mean().clamp(min=1e-6)  # (B, M, 1)
            weights = share if weights is None else share * weights
        loss: Tensor = self.criterion(prediction, self.target(x, mask), *(() if weights is None else (weights,)))
        return loss

    def error_per_clip(self, prediction: Tensor, x: Tensor, mask: TokenMask) -> Tensor:
        """Returns the mean squared error of each clip's masked tokens, ``(B,)``."""
        errors: Tensor = (prediction.float() - self.target(x, mask)).square().mean(dim=2)  # (B, M)
        return mean_tokens(errors.unsqueeze(-1), None if mask.counted is None else ~mask.counted).squeeze(-1)
