"""Transformer blocks: self-attention, and cross-attention followed by self-attention."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from timm.layers import DropPath
from torch import Tensor, nn
from torch.utils.checkpoint import CheckpointPolicy, checkpoint, create_selective_checkpoint_contexts

from hicmae_mm.models.layers.attention import CrossAttention, SelfAttention
from hicmae_mm.models.layers.linear import LayerNorm, Mlp

NORM_EPS = 1e-6
# what scaled_dot_product_attention becomes; the result is as wide as a token, and dear to compute
ATTENTION_OPERATORS = (
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu.default,
    torch.ops.aten._scaled_dot_product_flash_attention.default,
    torch.ops.aten._scaled_dot_product_efficient_attention.default,
    torch.ops.aten._scaled_dot_product_cudnn_attention.default,
)


def run_block(block: nn.Module, *inputs: Tensor | None, recompute: bool = False) -> Tensor:
    """``block(*inputs)``; with ``recompute`` its activations are not stored but computed again in the backward pass.

    What attention puts out is stored all the same, a token's width each, unless its weights are dropped at random.
    """
    if not recompute:
        return block(*inputs)
    return checkpoint(block, *inputs, use_reentrant=False, context_fn=_keep_attention)


def _policy(_: Any, operator: Any, *args: Any, **kwargs: Any) -> CheckpointPolicy:
    # a stored result draws no random numbers when the rest is computed again, and would shift those that follow
    if operator in ATTENTION_OPERATORS and not _dropout(operator, args, kwargs):
        return CheckpointPolicy.MUST_SAVE
    return CheckpointPolicy.PREFER_RECOMPUTE


def _dropout(operator: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> float:
    names = [argument.name for argument in operator._schema.arguments]
    return dict(zip(names, args)).get('dropout_p', kwargs.get('dropout_p', 0.0))


_keep_attention = partial(create_selective_checkpoint_contexts, _policy)


class Block(nn.Module):
    """Pre-norm self-attention and MLP (HiCMAE, "Modules").

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
        self.norm1 = LayerNorm(embed_dims, NORM_EPS)
        self.attn = SelfAttention(embed_dims, num_heads, qkv_bias, attn_drop, drop)
        self.norm2 = LayerNorm(embed_dims, NORM_EPS)
        self.mlp = Mlp(embed_dims, int(embed_dims * mlp_ratio), drop)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()

    def forward(self, x: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """``(B, N, D) -> (B, N, D)``; ``padding_mask (B, N)`` is True where ``x`` is padding."""
        x = x + self.drop_path(self.attn(self.norm1(x), padding_mask))
        return x + self.drop_path(self.mlp(self.norm2(x)))


class CrossBlock(Block):
    """A :class:`Block` preceded by cross-attention to a context, with a norm for each side.

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
        self.query_norm = LayerNorm(embed_dims, NORM_EPS)
        self.context_norm = LayerNorm(embed_dims, NORM_EPS)
        self.cross_attn = CrossAttention(embed_dims, num_heads, qkv_bias, attn_drop, drop)

    def forward(  # type: ignore[override]
        self,
        x: Tensor,
        context: Tensor,
        padding_mask: Tensor | None = None,
        context_padding_mask: Tensor | None = None,
    ) -> Tensor:
        """Attends to the context, then to itself.

        Args:
            x: ``(B, N, D)``.
            context: ``(B, N', D)``.
            padding_mask: ``(B, N)`` bool, True where ``x`` is padding.
            context_padding_mask: ``(B, N')`` bool, True where the context is padding.

        Returns:
            ``(B, N, D)``.
        """
        attended = self.cross_attn(self.query_norm(x), self.context_norm(context), context_padding_mask)
        return super().forward(x + self.drop_path(attended), padding_mask)
