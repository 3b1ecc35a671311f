"""Attention to few tokens, with the projections moved to the side of those tokens."""

from __future__ import annotations

import torch.nn.functional as F
from einops import einsum, rearrange
from torch import Tensor

from hicmae_mm.kernels.linear import is_large
from hicmae_mm.models.layers import CrossAttention


def cross_attention(
    attention: CrossAttention, x: Tensor, context: Tensor, padding_mask: Tensor | None = None
) -> Tensor:
    """:class:`CrossAttention` of many tokens ``x (B, N, D)`` to few ``context (B, R, D)`` in fewer products.

    A score is ``(W_q x) . k``, which equals ``x . (W_q^T k)``; the output projection of a sum of values is the sum of
    the projected values. So the two projections of N tokens become two of R tokens per head, and what N tokens still
    need is ``2 * N * D * H * R`` in place of ``2 * N * D * D`` multiply-accumulates, for H heads. Results differ from
    the plain method by rounding.
    """
    if padding_mask is not None or not _saves_products(attention, x, context):
        output: Tensor = type(attention).forward(attention, x, context, padding_mask)
        return output
    keys, values = attention.heads('kv', context)  # (B, H, R, D / H) each
    keys = keys * keys.shape[-1] ** -0.5
    by_head = dict(h=attention.num_heads)
    query_weight = rearrange(attention.q.weight, '(h d) c -> h d c', **by_head)
    keys_of_x = rearrange(einsum(keys, query_weight, 'b h r d, h d c -> b c h r'), 'b c h r -> b c (h r)')
    scores = x @ keys_of_x  # (B, N, H * R)
    if attention.q_bias is not None:
        bias = rearrange(attention.q_bias, '(h d) -> h d', **by_head)
        scores = scores + rearrange(einsum(keys, bias, 'b h r d, h d -> b h r'), 'b h r -> b 1 (h r)')
    weights = rearrange(scores, 'b n (h r) -> b n h r', **by_head).softmax(dim=-1)
    out_weight = rearrange(attention.proj.weight, 'c (h d) -> h d c', **by_head)
    projected = rearrange(einsum(values, out_weight, 'b h r d, h d c -> b h r c'), 'b h r c -> b (h r) c')
    out = rearrange(weights, 'b n h r -> b n (h r)') @ projected  # (B, N, D)
    if attention.proj.bias is not None:
        out = out + attention.proj.bias
    return F.dropout(out, attention.proj_drop.p, attention.training)


def _saves_products(attention: CrossAttention, x: Tensor, context: Tensor) -> bool:
    """Tells whether moving the projections saves work, on a CPU in float32 where products take the time."""
    num_tokens, dims, few = x.shape[1], x.shape[2], context.shape[1]
    if attention.q.bias is not None or (attention.training and attention.attn_drop > 0) or not is_large(x):
        return False
    return num_tokens * (dims - attention.num_heads * few) > few * dims
