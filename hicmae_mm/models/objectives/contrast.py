"""HiCMAE's contrast as an objective."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.heads import HierarchicalContrastiveHead
from hicmae_mm.models.objectives.base import BaseObjective, Pass
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class HierarchicalContrast(BaseObjective):
    """Draws two streams of a clip together after several encoder layers; for pre-training and fine-tuning.

    Source: HiCMAE, "Pre-training", item 3.

    Args:
        layers: 0-based encoder layers to contrast.
        loss: Loss of two batches of vectors.
        loss_weight: Factor of the loss.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        layers: Sequence[int] = (3, 6, 9),
        loss: dict[str, Any] | nn.Module = {'type': 'InfoNCELoss'},  # noqa: B006
        loss_weight: float = 0.0025,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        self.head = HierarchicalContrastiveHead(layers, loss)

    def loss(self, this: Pass) -> dict[str, Tensor]:
        """See :meth:`BaseObjective.loss`."""
        return {'loss': self.head.loss(this.hidden, this.padding)}
