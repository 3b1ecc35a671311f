"""Aggregators over one vector per stream: attention over the streams, or an MLP over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.models.layers import LinearStack, mean_tokens
from hicmae_mm.registry import MODELS


class VectorAggregator(BaseAggregator):
    """This is the base class of aggregators over one vector per stream: its encoder's summary, or its mean token.

    Args:
        fused: Width of each stream after fusion; injected by the model.
        order: Streams in the order in which their vectors are concatenated; ``None`` means the model's order.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``order`` does not name every stream once.
    """

    summary_replaces_tokens = True

    def __init__(
        self,
        fused: Mapping[str, int],
        order: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.order = tuple(fused) if order is None else tuple(order)
        if sorted(self.order) != sorted(fused):
            raise ValueError(f'order must name each of the streams {list(fused)} once, got {list(self.order)}')

    def vectors(
        self,
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> list[Tensor]:
        """Returns one vector ``(B, D_i)`` per stream, in order."""
        summaries, padded = summary or {}, padding or {}
        return [
            summaries[name].mean(dim=1) if name in summaries else mean_tokens(fused[name], padded.get(name))
            for name in self.order
        ]


@MODELS.register_module()
class StreamAttentionAggregator(VectorAggregator):
    """Sums the streams' vectors; the weights come from an MLP over all of them (MER2023, MERTools).

    The weights are used as they are, without softmax, as published.

    Args:
        fused: Width of each stream after fusion, which must agree; injected by the model.
        widths: Widths of the MLP.
        drop: Probability of dropping an element behind every layer of the MLP.
        input_drop: Probability of dropping an element of the MLP's input.
        order: Streams in the order in which their vectors are concatenated; ``None`` means the model's order.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If streams differ in width, or ``order`` names other streams.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.aggregators import StreamAttentionAggregator
        >>> aggregator = StreamAttentionAggregator(fused=dict(face=8, words=8), widths=(16,))
        >>> aggregator(hidden={}, fused=dict(face=torch.randn(4, 1, 8), words=torch.randn(4, 5, 8))).shape
        torch.Size([4, 8])
    """

    def __init__(
        self,
        fused: Mapping[str, int],
        widths: Sequence[int] = (256, 128),
        drop: float = 0.0,
        input_drop: float = 0.0,
        order: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(fused, order, init_cfg)
        if len(set(fused.values())) != 1:
            raise ValueError(f'{type(self).__name__} needs streams of one width, got {dict(fused)}')
        self.out_channels = next(iter(fused.values()))
        self.stack = LinearStack(sum(fused.values()), widths, drop, input_drop)
        self.weights = nn.Linear(self.stack.out_channels, len(self.order))

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`."""
        vectors = self.vectors(fused, padding, summary)
        weights = self.weights(self.stack(torch.cat(vectors, dim=-1)))  # (B, S)
        feature: Tensor = (weights.unsqueeze(-1) * torch.stack(vectors, dim=1)).sum(dim=1)  # (B, S, D) -> (B, D)
        return feature


@MODELS.register_module()
class StreamMLPAggregator(VectorAggregator):
    """Applies an MLP to the concatenated vectors of all streams (MER2023 baseline, early fusion).

    Args:
        fused: Width of each stream after fusion; injected by the model.
        widths: Widths of the MLP; none of them passes the concatenated vectors on.
        drop: Probability of dropping an element behind every layer.
        input_drop: Probability of dropping an element of the input.
        order: Streams in the order in which their vectors are concatenated; ``None`` means the model's order.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If ``order`` names other streams.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.aggregators import StreamMLPAggregator
        >>> aggregator = StreamMLPAggregator(fused=dict(face=8, words=4), widths=(16, 6))
        >>> aggregator(hidden={}, fused=dict(face=torch.randn(4, 1, 8), words=torch.randn(4, 5, 4))).shape
        torch.Size([4, 6])
    """

    def __init__(
        self,
        fused: Mapping[str, int],
        widths: Sequence[int] = (256, 128),
        drop: float = 0.0,
        input_drop: float = 0.0,
        order: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(fused, order, init_cfg)
        self.stack = LinearStack(sum(fused.values()), widths, drop, input_drop)
        self.out_channels = self.stack.out_channels

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`."""
        feature: Tensor = self.stack(torch.cat(self.vectors(fused, padding, summary), dim=-1))
        return feature


@MODELS.register_module()
class ContextAggregator(VectorAggregator):
    """Applies an MLP to the streams' vectors before the fusion and the context of an ``EMTFusion`` (EMT-DLFR).

    Args:
        streams: Width of each stream's encoder; injected by the model.
        fused: Width of each stream after fusion, and of the context; injected by the model.
        widths: Widths of the MLP.
        drop: Probability of dropping an element behind every layer.
        input_drop: Probability of dropping an element of the input.
        order: Streams in the order in which their vectors are concatenated; ``None`` means the model's order.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the fusion makes no context, or ``order`` names other streams.
    """

    summary_replaces_tokens = False  # it reads the tokens before the fusion

    def __init__(
        self,
        streams: Mapping[str, int],
        fused: Mapping[str, int],
        widths: Sequence[int] = (128, 128),
        drop: float = 0.0,
        input_drop: float = 0.0,
        order: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(streams, order, init_cfg)
        if 'context' not in fused:
            raise ValueError('ContextAggregator needs a fusion with a context, such as EMTFusion')
        length = sum(streams.values()) + len(streams) * fused['context']
        self.stack = LinearStack(length, widths, drop, input_drop)
        self.out_channels = self.stack.out_channels

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`."""
        tokens = {name: layers[-1] for name, layers in hidden.items()}
        vectors = self.vectors(tokens, padding, summary)
        feature: Tensor = self.stack(torch.cat([*vectors, fused['context'].flatten(1)], dim=-1))
        return feature
