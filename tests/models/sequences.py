"""A small encoder of sequences, as somebody outside of the package would write it."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.layers import Block
from hicmae_mm.structures import Padded


class SequenceEncoder(BaseEncoder):
    """One linear layer and one block over ``Padded (B, T, in_channels)``."""

    depth = 2

    def __init__(self, in_channels: int = 5, embed_dims: int = 16) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.proj = nn.Linear(in_channels, embed_dims)
        self.block = Block(embed_dims, num_heads=2)
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Padded, mask: Any = None) -> EncoderOutput:
        first = self.proj(x.values)
        second = self.block(first, x.padding)
        hidden = (self.norm(first), self.norm(second))
        summary: Tensor = hidden[-1][:, :1]
        return EncoderOutput(hidden[-1], hidden, x.padding, summary)

    def layer_id(self, name: str) -> int | None:
        return 0 if name.startswith('proj') else 1 if name.startswith('block') else None
