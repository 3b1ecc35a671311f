"""An encoder of waveforms of any length."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.encoders import BaseEncoder, EncoderOutput
from hicmae_mm.models.layers import Block
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded


@MODELS.register_module()
class WaveformEncoder(BaseEncoder):
    """Cuts the waveform into pieces, projects each to a token, and lets the tokens of a clip attend to each other.

    Args:
        piece: Samples of a piece. A rest at the end of a waveform that is shorter is left out.
        embed_dims: Width of the tokens.
        depth: Number of blocks.
    """

    def __init__(self, piece: int = 400, embed_dims: int = 16, depth: int = 2) -> None:
        super().__init__()
        self.piece, self.embed_dims, self.depth = piece, embed_dims, depth
        self.proj = nn.Linear(piece, embed_dims)
        self.blocks = nn.ModuleList(Block(embed_dims, num_heads=2) for _ in range(depth))
        self.norm = nn.LayerNorm(embed_dims)

    def forward(self, x: Padded, mask: Any = None) -> EncoderOutput:
        num_tokens = x.values.shape[1] // self.piece
        pieces = x.values[:, : num_tokens * self.piece].unflatten(1, (num_tokens, self.piece))  # (B, K, piece)
        padding = Padded(pieces, x.lengths // self.piece).padding  # (B, K)
        tokens: Tensor = self.proj(pieces)
        hidden = []
        for block in self.blocks:
            tokens = block(tokens, padding)
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden), padding)

    def layer_id(self, name: str) -> int | None:
        if name.startswith('blocks.'):
            return int(name.split('.')[1]) + 1
        return 0 if name.startswith('proj.') else None
