"""Reconstruction of masked tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.layers import TokenMask
from hicmae_mm.models.targets import PatchTarget
from hicmae_mm.models.utils import build_slot
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class ReconstructionHead(BaseModule):
    """Compares a decoder's predictions with a target made from the input. One per stream.

    Args:
        patch: Patch size of the stream's tokens; injected by the model.
        in_channels: Channels of the stream's input; injected by the model.
        target: What is predicted, e.g. ``dict(type='VideoPatchTarget')``.
        loss: Loss of predictions against targets; the target's element weights are its third argument, if it has any.
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
        """Scalar loss of predictions ``(B, M, P)`` for the masked tokens of the input ``x``."""
        weights = () if self.target.weights is None else (self.target.weights,)
        loss: Tensor = self.criterion(prediction, self.target(x, mask), *weights)
        return loss

    def error_per_clip(self, prediction: Tensor, x: Tensor, mask: TokenMask) -> Tensor:
        """Mean squared error of each clip, ``(B,)``."""
        errors: Tensor = (prediction.float() - self.target(x, mask)).square().mean(dim=(1, 2))
        return errors
