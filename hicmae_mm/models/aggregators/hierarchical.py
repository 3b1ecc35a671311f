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
    """Concatenates, for every stream, a learned mix of the pooled tokens of all layers, and the pooled fused tokens.

    Tokens are pooled by their mean. The weights of the mix are the softmax of a learned vector, which starts with equal
    weights. With streams video and audio the order is
    [video mix, audio mix, fused video, fused audio]. Source: HiCMAE, "Fine-tuning".

    With one stream and no fusion the feature is [mix, pooled top layer] of this stream. ``pool_fused=False`` keeps only
    the mix.

    Args:
        streams: Width of each stream's encoder; injected by the model.
        num_layers: Layers of each stream's encoder; injected by the model.
        fused: Width of each stream after fusion; injected by the model.
        pool_fused: Append the pooled fused tokens (without a fusion, those of the top layer of each encoder).
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``pool_fused=False`` is used with several streams. The result of the fusion would be lost.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.aggregators import HierarchicalFeatureAggregator
        >>> widths = dict(video=8, audio=8)
        >>> aggregator = HierarchicalFeatureAggregator(widths, num_layers=dict(video=3, audio=2), fused=widths)
        >>> hidden = dict(video=[torch.randn(4, 10, 8)] * 3, audio=[torch.randn(4, 6, 8)] * 2)
        >>> fused = dict(video=torch.randn(4, 10, 8), audio=torch.randn(4, 6, 8))
        >>> aggregator(hidden, fused).shape
        torch.Size([4, 32])
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
        self.out_channels = sum(streams.values()) + (sum(fused[name] for name in streams) if pool_fused else 0)

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
    """Concatenates the means of the fused tokens of every stream, and does not use the lower layers.

    Args:
        fused: Width of each stream after fusion; injected by the model.
        adds_streams: Whether to add the means of the streams instead of concatenating them, for example if every clip
            has only one of them. The streams must have the same width.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``adds_streams`` is used with streams of different widths.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.aggregators import MeanPoolAggregator
        >>> aggregator = MeanPoolAggregator(fused=dict(video=8, audio=8))
        >>> aggregator(hidden={}, fused=dict(video=torch.randn(4, 10, 8), audio=torch.randn(4, 6, 8))).shape
        torch.Size([4, 16])
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
