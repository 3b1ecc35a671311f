"""Defines a layer whose stream attends to itself and to another stream side by side, and joins both by gates."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hicmae_mm.models.layers.attention import CrossAttention
from hicmae_mm.models.layers.blocks import NORM_EPS, Block, DropPath
from hicmae_mm.models.layers.mlp import Mlp


class GatedCrossLayer(nn.Module):
    """Adds self-attention and cross-attention of the same input, each with an MLP, by a gate per element.

    The gates are sigmoids of linear layers over both results (AVF-MAE++, Wu et al., 2025).

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path: Probability of dropping a residual branch, per clip.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        self.self_block = Block(embed_dims, num_heads, mlp_ratio, qkv_bias, drop_path)
        self.query_norm = nn.LayerNorm(embed_dims, NORM_EPS)
        self.context_norm = nn.LayerNorm(embed_dims, NORM_EPS)
        self.cross_attn = CrossAttention(embed_dims, num_heads, qkv_bias)
        self.mlp_norm = nn.LayerNorm(embed_dims, NORM_EPS)
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio))
        self.self_gate = nn.Linear(2 * embed_dims, embed_dims)
        self.cross_gate = nn.Linear(2 * embed_dims, embed_dims)
        self.norm = nn.LayerNorm(embed_dims, NORM_EPS)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(
        self,
        x: Tensor,
        context: Tensor,
        padding_mask: Tensor | None = None,
        context_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Maps ``x (B, N, D)`` and ``context (B, N', D)`` to ``(B, N, D)``.

        The masks are True where they are padding.
        """
        alone = self.self_block(x, padding_mask)
        attended = self.cross_attn(self.query_norm(x), self.context_norm(context), context_padding_mask)
        crossed = x + self.drop_path(attended)
        crossed = crossed + self.drop_path(self.mlp(self.mlp_norm(crossed)))
        both = torch.cat([alone, crossed], dim=-1)  # (B, N, 2D)
        output: Tensor = self.norm(self.self_gate(both).sigmoid() * alone + self.cross_gate(both).sigmoid() * crossed)
        return output
