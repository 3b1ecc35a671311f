"""Transformer blocks: self-attention, and cross-attention followed by self-attention."""

from __future__ import annotations

from torch import Tensor, nn

from hicmae_mm.models.layers.attention import CrossAttention, SelfAttention
from hicmae_mm.models.layers.mlp import Mlp

NORM_EPS = 1e-6


class DropPath(nn.Module):
    """Drops whole rows (Huang et al., 2016, stochastic depth), as timm does, and scales the others up.

    timm's own would be imported with every model, which costs a second and 100 MB.

    Args:
        drop_prob: Probability of dropping the path of a row.
    """

    def __init__(self, drop_prob: float) -> None:
        super().__init__()
        self.drop_prob = drop_prob

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, ...)`` to ``(B, ...)``."""
        return x * self.factors(x) if self.training and self.drop_prob > 0 else x

    def factors(self, x: Tensor) -> Tensor:
        """Draws the factor of every row: ``(B, 1, ...)``, 0 where it is dropped."""
        kept = x.new_empty((len(x), *[1] * (x.ndim - 1))).bernoulli_(1 - self.drop_prob)
        return kept if self.drop_prob == 1 else kept.div_(1 - self.drop_prob)


class Block(nn.Module):
    """Applies pre-norm self-attention and an MLP (HiCMAE, "Modules").

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        mlp_ratio: Hidden width of the MLP over D.
        qkv_bias: Whether queries and values are biased.
        drop_path: Probability of dropping a residual branch, per clip.
        drop: Probability of dropping an element of what attention and MLP put out.
        attn_drop: Probability of dropping an attention weight.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path: float = 0.0,
        drop: float = 0.0,
        attn_drop: float = 0.0,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(embed_dims, NORM_EPS)
        self.attn = SelfAttention(embed_dims, num_heads, qkv_bias, attn_drop, drop)
        self.norm2 = nn.LayerNorm(embed_dims, NORM_EPS)
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio), drop)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Maps ``(B, N, D)`` to ``(B, N, D)``; ``padding_mask (B, N)`` is True where ``x`` is padding."""
        x = x + self.drop_path(self.attn(self.norm1(x), padding_mask))
        output: Tensor = x + self.drop_path(self.mlp(self.norm2(x)))
        return output


class CrossBlock(Block):
    """Applies cross-attention to a context, with a norm for each side, and then a :class:`Block`.

    Arguments as in :class:`Block`; both attentions have the same number of heads.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path: float = 0.0,
        drop: float = 0.0,
        attn_drop: float = 0.0,
    ) -> None:
        super().__init__(embed_dims, num_heads, mlp_ratio, qkv_bias, drop_path, drop, attn_drop)
        self.query_norm = nn.LayerNorm(embed_dims, NORM_EPS)
        self.context_norm = nn.LayerNorm(embed_dims, NORM_EPS)
        self.cross_attn = CrossAttention(embed_dims, num_heads, qkv_bias, attn_drop, drop)

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        context: Tensor,
        padding_mask: Tensor | None = None,
        context_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Attends to ``context (B, N', D)``, then to itself: ``(B, N, D) -> (B, N, D)``.

        ``padding_mask (B, N)`` and ``context_padding_mask (B, N')`` are True where ``x`` and the context are padding.
        """
        attended = self.cross_attn(self.query_norm(x), self.context_norm(context), context_padding_mask)
        return super().forward(x + self.drop_path(attended), padding_mask)
