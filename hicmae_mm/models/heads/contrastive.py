"""Hierarchical cross-modal contrast."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class HierarchicalContrastiveHead(BaseModule):
    """Contrasts the mean-pooled visible tokens of two streams after several encoder layers, summed over the layers.

    Source: HiCMAE, "Pre-training", item 3.

    Args:
        layers: 0-based encoder layers to contrast.
        loss: Loss of two batches of vectors, e.g. ``dict(type='InfoNCELoss', loss_weight=0.0025)``.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        layers: Sequence[int] = (3, 6, 9),
        loss: dict[str, Any] | nn.Module = {'type': 'InfoNCELoss', 'loss_weight': 0.0025},  # noqa: B006
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.layers = tuple(layers)
        self.criterion: nn.Module = build_slot(loss, 'contrastive.loss')

    def pooled(
        self, hidden: Mapping[str, Sequence[Tensor]], padding: Mapping[str, Tensor] | None = None
    ) -> list[tuple[Tensor, Tensor]]:
        """Returns the mean-pooled vectors ``(B, D)`` of both streams, per contrasted layer.

        Args:
            hidden: Every layer's tokens ``(B, K, D)`` by stream.
            padding: ``(B, K)`` bool, True = padding, for streams that have any.

        Raises:
            ValueError: If there are not exactly two streams, or an encoder does not have a layer.
        """
        if len(hidden) != 2:
            raise ValueError(f'HierarchicalContrastiveHead contrasts exactly two streams, got {list(hidden)}')
        for name, outputs in hidden.items():
            if max(self.layers) >= len(outputs):
                raise ValueError(f'contrastive.layers={self.layers}, but the {name} encoder has {len(outputs)} layers')
        first, second = (
            [mean_tokens(outputs[i], (padding or {}).get(name)) for i in self.layers]
            for name, outputs in hidden.items()
        )
        return list(zip(first, second))

    def loss(self, hidden: Mapping[str, Sequence[Tensor]], padding: Mapping[str, Tensor] | None = None) -> Tensor:
        """Returns the scalar loss summed over the layers; arguments as in :meth:`pooled`."""
        return torch.stack([self.criterion(first, second) for first, second in self.pooled(hidden, padding)]).sum()
