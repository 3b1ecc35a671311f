"""Attention over the streams at every time step, then an LSTM in both directions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.models.layers import LinearStack
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream


@MODELS.register_module()
class FrameAttentionAggregator(BaseAggregator):
    """Sums the streams at every time step, weighted by an MLP over all of them; then an LSTM follows.

    The weights are used as they are, without softmax, as published. All streams need the same time steps; a single step
    stands for all, such as that of a stream that no clip has. Source: the valence-arousal entry of F. Wen et al. in the
    ABAW6 challenge, 2024.

    Args:
        fused: Width of each stream after fusion, which must agree; injected by the model.
        widths: Widths of the MLP.
        hidden_dims: Width of the LSTM per direction; ``None`` means no LSTM.
        drop: Probability of dropping an element behind every layer of the MLP.
        order: Streams in the order in which their tokens are concatenated; ``None`` means the model's order.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If streams differ in width, or ``order`` names other streams.
    """

    level = 'frame'

    def __init__(
        self,
        fused: Mapping[str, int],
        widths: Sequence[int] = (64, 64, 64),
        hidden_dims: int | None = 64,
        drop: float = 0.0,
        order: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.order = tuple(fused) if order is None else tuple(order)
        if sorted(self.order) != sorted(fused) or len(set(fused.values())) != 1:
            raise ValueError(
                f'FrameAttentionAggregator needs streams of one width, each named once in order; got widths '
                f'{dict(fused)} and order {list(self.order)}'
            )
        if 'context' in fused:
            raise ValueError('FrameAttentionAggregator needs time steps of every stream, and a context has none')
        width = next(iter(fused.values()))
        self.stack = LinearStack(sum(fused.values()), widths, drop)
        self.weights = nn.Linear(self.stack.out_channels, len(self.order))
        self.rnn = None if hidden_dims is None else nn.LSTM(width, hidden_dims, batch_first=True, bidirectional=True)
        self.out_channels = width if hidden_dims is None else 2 * hidden_dims

    def attend(self, fused: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Weights ``(B, T, S)`` and the weighted sum ``(B, T, D)`` of the streams' tokens ``(B, T, D)``."""
        counts = {name: fused[name].shape[1] for name in self.order}
        longest = max(counts.values())
        if not set(counts.values()) <= {1, longest}:
            raise ValueError(f'the streams have different numbers of time steps, {counts}')
        tokens = [fused[name].expand(-1, longest, -1) for name in self.order]  # one step: no clip has the stream
        weights = self.weights(self.stack(torch.cat(tokens, dim=-1)))
        return weights, (torch.stack(tokens, dim=-1) @ weights.unsqueeze(-1)).squeeze(-1)  # (B, T, D, S) @ (B, T, S, 1)

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,  # noqa: ARG002 (of the contract)
    ) -> Stream:
        """See :meth:`BaseAggregator.forward`. A batch of different lengths makes the host wait for the lengths."""
        features = self.attend(fused)[1]
        padded = [padding[name] for name in self.order if padding and name in padding]
        if not padded:
            return features if self.rnn is None else self.rnn(features)[0]
        lengths = torch.stack([(~rows).sum(dim=1) for rows in padded]).amax(dim=0)  # (B,)
        if self.rnn is not None:
            packed = pack_padded_sequence(features, lengths.clamp(min=1).cpu(), batch_first=True, enforce_sorted=False)
            features = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=features.shape[1])[0]
        return Padded(features, lengths)
