"""HiCMAE's hierarchical feature fusion, and its plain twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class HierarchicalFeatureAggregator(BaseAggregator):
    """Learned mix of every layer's mean-pooled tokens per stream, then the pooled fused tokens, concatenated.

    The mix is a softmax over a learned vector, first equal for all layers. With streams video and audio the order is
    [video mix, audio mix, fused video, fused audio]. Source: HiCMAE, "Fine-tuning".

    With one stream and no fusion that is [mix, pooled top layer] of the stream alone; ``pool_fused=False`` leaves the
    mix.

    Args:
        streams: Width of each stream's encoder; injected by the model.
        num_layers: Layers of each stream's encoder; injected by the model.
        fused: Width of each stream after fusion; injected by the model.
        pool_fused: Append the pooled fused tokens (without a fusion: each encoder's top layer) to the mixes.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: ``pool_fused=False`` with several streams: what the fusion computes would be thrown away.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        num_layers: Mapping[str, int],
        fused: Mapping[str, int],
        pool_fused: bool = True,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if not pool_fused and len(streams) > 1:
            raise ValueError(
                f'pool_fused=False is for one stream; of {list(streams)} it would drop what their fusion computes'
            )
        self.pool_fused = pool_fused
        self.streams = tuple(streams)  # nn.ParameterDict would sort them
        self.layer_weights = nn.ParameterDict(
            {name: nn.Parameter(torch.full((num_layers[name],), 1 / num_layers[name])) for name in streams}
        )
        self.out_channels = sum(streams.values()) + (sum(fused.values()) if pool_fused else 0)

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,  # noqa: ARG002 (of the contract)
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`."""
        padded = padding or {}
        mixes = []
        for name in self.streams:
            layers = [mean_tokens(tokens, padded.get(name)) for tokens in hidden[name]]
            mixes.append(self.layer_weights[name].softmax(dim=0) @ torch.stack(layers, dim=1))  # (B, L, D) -> (B, D)
        pooled = [mean_tokens(fused[name], padded.get(name)) for name in self.streams] if self.pool_fused else []
        return torch.cat([*mixes, *pooled], dim=-1)


@MODELS.register_module()
class MeanPoolAggregator(BaseAggregator):
    """Mean-pools the fused tokens of every stream and concatenates them; the lower layers are ignored.

    Args:
        fused: Width of each stream after fusion; injected by the model.
        adds_streams: Add the means of the streams up in place of concatenating them, such as where every clip has only
            one of them. They must have one width.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: ``adds_streams`` with streams of different width.
    """

    def __init__(
        self,
        fused: Mapping[str, int],
        adds_streams: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.streams, self.adds_streams = tuple(fused), adds_streams
        if adds_streams and len(set(fused.values())) != 1:
            raise ValueError(f'adds_streams needs streams of one width, got {dict(fused)}')
        self.out_channels = next(iter(fused.values())) if adds_streams else sum(fused.values())

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,  # noqa: ARG002 (of the contract)
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`."""
        padded = padding or {}
        means = [mean_tokens(fused[name], padded.get(name)) for name in self.streams]
        return torch.stack(means).sum(dim=0) if self.adds_streams else torch.cat(means, dim=-1)
