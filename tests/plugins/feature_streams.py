"""Vectors of three feature extractors, weighted by attention over the streams."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.aggregators import BaseAggregator
from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class VectorEncoder(BaseEncoder):
    """Two linear layers over the vector of a clip, which becomes its only token."""

    depth = 1

    def __init__(self, in_channels: int, embed_dims: int = 16, drop: float = 0.1) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.layers = nn.Sequential(
            nn.Linear(in_channels, 2 * embed_dims),
            nn.ReLU(),
            nn.Dropout(drop),
            nn.Linear(2 * embed_dims, embed_dims),
        )

    def forward(self, x: Tensor, mask: Any = None) -> EncoderOutput:
        token = self.layers(x).unsqueeze(1)  # (B, in_channels) -> (B, 1, D)
        return EncoderOutput(token, (token,))

    def layer_id(self, name: str) -> int | None:
        return 1


@MODELS.register_module()
class VectorAttention(BaseAggregator):
    """Sum of the streams' vectors with weights that a linear layer computes from all of them."""

    def __init__(self, fused: Mapping[str, int]) -> None:
        super().__init__()
        self.out_channels = next(iter(fused.values()))
        self.weights = nn.Linear(sum(fused.values()), len(fused))

    def forward(self, hidden: dict[str, Sequence[Tensor]], fused: dict[str, Tensor]) -> Tensor:
        vectors = torch.stack([tokens[:, 0] for tokens in fused.values()], dim=1)  # (B, streams, D)
        weights = self.weights(vectors.flatten(1)).softmax(dim=-1)  # (B, streams)
        return (weights.unsqueeze(-1) * vectors).sum(dim=1)
