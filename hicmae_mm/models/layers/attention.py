"""Self- and cross-attention over ``scaled_dot_product_attention``."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn


class Attention(nn.Module):
    """Holds what self- and cross-attention share: heads, biases and the projection of the result.

    Queries and values have a bias, keys have none (a key bias cancels in softmax). The biases are parameters of the
    attention, as in the published checkpoints, and are added to what the input layers put out.

    Args:
        embed_dims: Width D of all sequences, a multiple of ``num_heads``.
        num_heads: Number of heads.
        qkv_bias: Whether queries and values are biased.
        attn_drop: Probability of dropping an attention weight.
        proj_drop: Probability of dropping an output element.

    Raises:
        ValueError: If the width is not a multiple of the number of heads.
    """

    input_layers: ClassVar[tuple[str, ...]]  # each is named after the parts that it computes: queries, keys, values

    def __init__(
        self, embed_dims: int, num_heads: int, qkv_bias: bool = True, attn_drop: float = 0.0, proj_drop: float = 0.0
    ) -> None:
        super().__init__()
        if embed_dims % num_heads:
            raise ValueError(f'embed_dims={embed_dims} is not a multiple of num_heads={num_heads}')
        self.num_heads, self.attn_drop = num_heads, attn_drop
        for parts in self.input_layers:
            self.add_module(parts, nn.Linear(embed_dims, len(parts) * embed_dims, bias=False))
        self.q_bias = nn.Parameter(torch.zeros(embed_dims)) if qkv_bias else None
        self.v_bias = nn.Parameter(torch.zeros(embed_dims)) if qkv_bias else None
        self.proj = nn.Linear(embed_dims, embed_dims)
        self.proj_drop = nn.Dropout(proj_drop)

    def heads(self, parts: str, x: Tensor) -> tuple[Tensor, ...]:
        """Calls an input layer, such as ``'qkv'``: ``(B, N, D)`` to ``(B, H, N, D / H)`` for each of its parts."""
        projected, bias = getattr(self, parts)(x), self.bias(parts)
        return self.split(projected if bias is None else projected + bias, parts)

    def bias(self, parts: str) -> Tensor | None:
        """Returns the bias ``(len(parts) * D,)`` of an input layer."""
        if self.q_bias is None or self.v_bias is None or parts == 'q':
            return self.q_bias
        values = {'q': self.q_bias, 'k': torch.zeros_like(self.q_bias), 'v': self.v_bias}
        return torch.cat([values[part] for part in parts])

    def split(self, projected: Tensor, parts: str) -> tuple[Tensor, ...]:
        """Splits parts and heads, in such a way that the gradients are joined without a copy."""
        # (B, N, count * D) -> count of (B, N, H, D / H)
        split = rearrange(projected, 'b n (count h d) -> b n count h d', count=len(parts), h=self.num_heads).unbind(2)
        return tuple(part.transpose(1, 2) for part in split)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Lets ``(B, H, N, D / H)`` attend to ``(B, H, N', D / H)``, and projects the output: ``(B, N, D)``.

        Padding, ``(B, N')`` with True = padding, is not attended to. A clip of nothing but padding gives exactly 0, the
        projection's bias included: what is not there adds nothing to a residual stream. (Softmax over nothing is
        undefined, and backends differ in what they make of it, so such a clip attends to its padding before it is set
        to 0.)
        """
        attended = is_absent = None
        if padding_mask is not None:
            is_absent = padding_mask.all(dim=1)[:, None, None]  # (B, 1, 1)
            attended = ((~padding_mask).unsqueeze(1) | is_absent).unsqueeze(1)  # (B, 1, 1, N')
        dropout = self.attn_drop if self.training else 0.0
        out = F.scaled_dot_product_attention(q, k, v, attended, dropout)
        out = self.proj(rearrange(out, 'b h n d -> b n (h d)'))
        output: Tensor = self.proj_drop(out if is_absent is None else out.masked_fill(is_absent, 0))
        return output


class SelfAttention(Attention):
    """Lets a sequence attend to itself by several heads. The arguments are those of :class:`Attention`."""

    input_layers = ('qkv',)
    qkv: nn.Linear

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Maps ``(B, N, D)`` to ``(B, N, D)``; ``padding_mask (B, N)`` as in :meth:`attend`."""
        q, k, v = self.heads('qkv', x)
        return self.attend(q, k, v, padding_mask)


class CrossAttention(Attention):
    """Lets one sequence attend to another by several heads. The arguments are those of :class:`Attention`."""

    input_layers = ('q', 'kv')
    q: nn.Linear
    kv: nn.Linear

    def forward(self, x: Tensor, context: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Lets ``x (B, N, D)`` attend to ``context (B, N', D)``; ``padding_mask (B, N')`` as in :meth:`attend`."""
        (q,), (k, v) = self.heads('q', x), self.heads('kv', context)
        return self.attend(q, k, v, padding_mask)
