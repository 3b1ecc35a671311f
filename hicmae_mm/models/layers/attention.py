"""Self- and cross-attention over ``scaled_dot_product_attention``."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from hicmae_mm.models.layers.linear import Linear, linear


def _check_heads(embed_dims: int, num_heads: int) -> None:
    if embed_dims % num_heads:
        raise ValueError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')


def _attend(q: Tensor, k: Tensor, v: Tensor, padding_mask: Tensor | None, project: nn.Module, dropout: float) -> Tensor:
    """Attention of ``(B, H, N, D / H)`` to ``(B, H, N', D / H)``, and the output projection: ``(B, N, D)``.

    Padding, ``(B, N')`` with True = padding, is not attended to. A clip of nothing but padding gives exactly 0, the
    projection's bias included: what is not there adds nothing to a residual stream. (Softmax over nothing is undefined,
    and backends differ in what they make of it, so such a clip attends to its padding before it is set to 0.)
    """
    if padding_mask is None:
        return project(rearrange(F.scaled_dot_product_attention(q, k, v, dropout_p=dropout), 'b h n d -> b n (h d)'))
    is_absent = padding_mask.all(dim=1)[:, None, None]  # (B, 1, 1)
    attended = (~padding_mask).unsqueeze(1) | is_absent  # (B, 1, N')
    out = F.scaled_dot_product_attention(q, k, v, attn_mask=attended.unsqueeze(1), dropout_p=dropout)
    return project(rearrange(out, 'b h n d -> b n (h d)')).masked_fill(is_absent, 0)


def _heads(x: Tensor, count: int, num_heads: int) -> tuple[Tensor, ...]:
    """``(B, N, count * D)`` to ``count`` of ``(B, H, N, D / H)``, so that the gradients are joined without a copy."""
    parts = rearrange(x, 'b n (count h d) -> b n count h d', count=count, h=num_heads).unbind(2)
    return tuple(part.transpose(1, 2) for part in parts)


class SelfAttention(nn.Module):
    """Multi-head self-attention; queries and values have a bias, keys have none (a key bias cancels in softmax).

    Args:
        embed_dims: Width D, a multiple of ``num_heads``.
        num_heads: Number of heads.
        qkv_bias: Whether queries and values are biased.
        attn_drop: Probability of dropping an attention weight.
        proj_drop: Probability of dropping an output element.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        _check_heads(embed_dims, num_heads)
        self.num_heads, self.attn_drop = num_heads, attn_drop
        self.qkv = Linear(embed_dims, 3 * embed_dims, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(embed_dims)) if qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(embed_dims)) if qkv_bias else None
        self.proj = Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """``(B, N, D) -> (B, N, D)``; ``padding_mask (B, N)`` is True where nothing may be attended to.

        A clip of nothing but padding gives 0.
        """
        bias = None
        if self.q_bias is not None and self.v_bias is not None:
            bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = linear(x, self.qkv.weight, bias)
        q, k, v = _heads(qkv, 3, self.num_heads)
        dropout = self.attn_drop if self.training else 0.0
        return self.proj_drop(_attend(q, k, v, padding_mask, self.proj, dropout))


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence to another; biases as in :class:`SelfAttention`.

    Args:
        embed_dims: Width D of both sequences, a multiple of ``num_heads``.
        num_heads: Number of heads.
        qkv_bias: Whether queries and values are biased.
        attn_drop: Probability of dropping an attention weight.
        proj_drop: Probability of dropping an output element.
    """

    def __init__(
        self,
        embed_dims: int,
        num_heads: int,
        qkv_bias: bool = True,
        attn_drop: float = 0.0,
        proj_drop: float = 0.0,
    ) -> None:
        super().__init__()
        _check_heads(embed_dims, num_heads)
        self.num_heads, self.attn_drop = num_heads, attn_drop
        self.q = Linear(embed_dims, embed_dims, bias=False)
        self.kv = Linear(embed_dims, 2 * embed_dims, bias=False)
        self.q_bias = nn.Parameter(torch.zeros(embed_dims)) if qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(embed_dims)) if qkv_bias else None
        self.proj = Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor, context: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Queries from ``x``, keys and values from ``context``.

        Args:
            x: ``(B, N, D)``.
            context: ``(B, N', D)``.
            padding_mask: ``(B, N')`` bool, True = padding of the context, not attended to.
                A clip whose context is nothing but padding gives 0.

        Returns:
            ``(B, N, D)``.
        """
        kv_bias = None
        if self.v_bias is not None:
            kv_bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        q = rearrange(linear(x, self.q.weight, self.q_bias), 'b n (h d) -> b h n d', h=self.num_heads)
        kv = linear(context, self.kv.weight, kv_bias)
        k, v = _heads(kv, 2, self.num_heads)
        dropout = self.attn_drop if self.training else 0.0
        return self.proj_drop(_attend(q, k, v, padding_mask, self.proj, dropout))
