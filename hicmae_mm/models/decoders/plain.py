"""Defines the hierarchical decoder's counterpart without skip connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.decoders.base import BaseDecoder
from hicmae_mm.models.layers import Block, run_block
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class PlainDecoder(BaseDecoder):
    """Applies only self-attention blocks, as VideoMAE does, and ignores the skips. It serves ablations.

    Args:
        in_channels: Width of the fused tokens; injected by the model.
        out_channels: Length P of a prediction; injected by the model.
        num_tokens: Tokens N of the stream; injected by the model.
        embed_dims: Width of the decoder.
        depth: Number of layers.
        num_heads: Heads per layer.
        mlp_ratio: Hidden width of the MLPs over the decoder's width.
        qkv_bias: Whether queries and values are biased.
        checkpoint_activations: Recompute the layers' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.decoders import PlainDecoder
        >>> decoder = PlainDecoder(8, out_channels=12, num_tokens=6, embed_dims=4, depth=1, num_heads=2)
        >>> mask = torch.tensor([[False, True, False, True, True, True]])
        >>> decoder(torch.randn(1, 2, 8), skips=[], mask=mask).shape  # of the four masked tokens
        torch.Size([1, 4, 12])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_tokens: int,
        embed_dims: int = 384,
        depth: int = 4,
        num_heads: int = 6,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(in_channels, out_channels, num_tokens, embed_dims, init_cfg)
        self.checkpoint_activations = checkpoint_activations
        self.blocks = nn.ModuleList(Block(embed_dims, num_heads, mlp_ratio, qkv_bias) for _ in range(depth))
        self.apply(init_transformer)

    def decode(self, x: Tensor, skips: Sequence[Tensor], visible_positions: Tensor) -> Tensor:  # noqa: ARG002
        """See :meth:`BaseDecoder.decode`."""
        for block in self.blocks:
            x = run_block(block, x, recompute=self.checkpoint_activations)
        return x
