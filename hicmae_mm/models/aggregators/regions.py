"""Mean of region tokens, of local tokens or of all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.registry import MODELS

TOKENS = ('region', 'local', 'all')


@MODELS.register_module()
class RegionPoolAggregator(BaseAggregator):
    """Averages the chosen tokens of every stream and concatenates the streams (MAE-DFER, Sun et al., 2023).

    Args:
        fused: Width of each stream after fusion; injected by the model.
        tokens: ``'region'``: the encoder's summary tokens. ``'local'``: the tokens after fusion. ``'all'``: both alike.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the choice of tokens is unknown.
    """

    def __init__(
        self,
        fused: Mapping[str, int],
        tokens: str = 'region',
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if tokens not in TOKENS:
            raise ValueError(f'tokens must be one of {TOKENS}, got {tokens!r}')
        self.summary_replaces_tokens = tokens != 'local'
        self.streams, self.tokens, self.out_channels = tuple(fused), tokens, sum(fused.values())

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`. An encoder without summary tokens gives its local ones."""
        padded, regions = padding or {}, summary or {}
        pooled = [self._pool(fused[name], padded.get(name), regions.get(name)) for name in self.streams]
        return torch.cat(pooled, dim=-1)

    def _pool(self, local: Tensor, padding: Tensor | None, regions: Tensor | None) -> Tensor:
        """Returns the mean ``(B, D)`` of ``local (B, N, D)`` and ``regions (B, R, D)``, as chosen."""
        if regions is None or self.tokens == 'local':
            return mean_tokens(local, padding)
        if self.tokens == 'region':
            return regions.mean(dim=1)
        if padding is not None:
            padding = torch.cat([padding, padding.new_zeros(regions.shape[:2])], dim=1)
        return mean_tokens(torch.cat([local, regions], dim=1), padding)
