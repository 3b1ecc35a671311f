"""HiCMAE's decoder with skip connections by cross-attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.decoders.base import BaseDecoder
from hicmae_mm.models.layers import Block, CrossBlock, run_block
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class HierarchicalDecoder(BaseDecoder):
    """Applies a block, then cross blocks: layer ``i >= 1`` attends to ``skips[-i]``, deepest encoder layer first.

    Skips pass the same projection as the fused tokens and get the positions of the visible tokens. Source: HiCMAE,
    "Modules", decoders.

    Args:
        in_channels: Width of the fused tokens and of the skips; injected by the model.
        out_channels: Length P of a prediction; injected by the model.
        num_tokens: Tokens N of the stream; injected by the model.
        num_skips: Encoder layers handed over; injected by the model, at least ``depth - 1``.
        embed_dims: Width of the decoder.
        depth: Number of layers.
        num_heads: Heads per layer.
        mlp_ratio: Hidden width of the MLPs over the decoder's width.
        qkv_bias: Whether queries and values are biased.
        checkpoint_activations: Recompute the layers' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If there are fewer skips than cross blocks.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.decoders import HierarchicalDecoder
        >>> size = dict(embed_dims=4, depth=2, num_heads=2)
        >>> decoder = HierarchicalDecoder(8, out_channels=12, num_tokens=6, num_skips=1, **size)
        >>> mask = torch.tensor([[False, True, False, True, True, True]])
        >>> decoder(torch.randn(1, 2, 8), skips=[torch.randn(1, 2, 8)], mask=mask).shape  # of the four masked tokens
        torch.Size([1, 4, 12])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        num_tokens: int,
        num_skips: int,
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
        if num_skips < depth - 1:
            raise ValueError(
                f'a hierarchical decoder of depth {depth} needs {depth - 1} skips, got {num_skips}; '
                'name more skip_layers in the model or lower the depth'
            )
        blocks: list[nn.Module] = [Block(embed_dims, num_heads, mlp_ratio, qkv_bias)]
        blocks += [CrossBlock(embed_dims, num_heads, mlp_ratio, qkv_bias) for _ in range(depth - 1)]
        self.blocks = nn.ModuleList(blocks)
        self.apply(init_transformer)

    def decode(self, x: Tensor, skips: Sequence[Tensor], visible_positions: Tensor) -> Tensor:
        """See :meth:`BaseDecoder.decode`."""
        recompute = self.checkpoint_activations
        x = run_block(self.blocks[0], x, recompute=recompute)
        for i, block in enumerate(self.blocks[1:], start=1):
            x = run_block(block, x, self.embed(skips[-i]) + visible_positions, recompute=recompute)
        return x
