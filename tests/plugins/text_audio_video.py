"""An encoder of text, for a model that also sees and hears."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.layers import Block
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded


@MODELS.register_module()
class TextEncoder(BaseEncoder):
    """One embedding per token id and a stack of blocks. The first token also stands for the whole text.

    Args:
        num_words: Size of the vocabulary.
        max_length: Longest text in tokens.
        embed_dims: Width of the tokens.
        depth: Number of blocks.
    """

    def __init__(self, num_words: int, max_length: int = 32, embed_dims: int = 16, depth: int = 2) -> None:
        super().__init__()
        self.embed_dims, self.depth = embed_dims, depth
        self.words = nn.Embedding(num_words, embed_dims)
        self.positions = nn.Embedding(max_length, embed_dims)
        self.blocks = nn.ModuleList(Block(embed_dims, num_heads=2) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Padded, mask: Any = None) -> EncoderOutput:
        tokens: Tensor = self.words(x.values) + self.positions.weight[: x.values.shape[1]]  # (B, T, D)
        hidden = []
        for block in self.blocks:
            tokens = block(tokens, x.padding)
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden), x.padding, hidden[-1][:, :1])

    def layer_id(self, name: str) -> int | None:
        if name.startswith('blocks.'):
            return int(name.split('.')[1]) + 1
        return 0 if name.startswith(('words.', 'positions.')) else None
