"""Fusion by one transformer over all streams' tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.layers import Block, run_block
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class ConcatFusion(BaseFusion):
    """Concatenates the tokens of any number of streams, adds a learned stream embedding and lets all attend to all.

    Args:
        streams: Width of each stream, which must agree; injected by the model.
        depth: Number of blocks.
        num_heads: Heads per block.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last block; grows linearly from 0 at the first.
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If streams differ in width.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.fusion import ConcatFusion
        >>> fusion = ConcatFusion(dict(video=8, audio=8), depth=1, num_heads=2)
        >>> fused = fusion(dict(video=torch.randn(1, 5, 8), audio=torch.randn(1, 3, 8)))
        >>> {name: tuple(tokens.shape) for name, tokens in fused.items()}
        {'video': (1, 5, 8), 'audio': (1, 3, 8)}
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        depth: int = 2,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.0,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(streams, init_cfg)
        self.checkpoint_activations = checkpoint_activations
        width, self.depth = self.common_width(streams), depth
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.stream_embed = nn.ParameterDict({name: nn.Parameter(torch.zeros(width)) for name in streams})
        self.blocks = nn.ModuleList(Block(width, num_heads, mlp_ratio, qkv_bias, rate) for rate in rates)
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.apply(init_transformer)

    def forward(self, tokens: dict[str, Tensor], padding_masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """See :meth:`BaseFusion.forward`."""
        x = torch.cat([tokens[name] + self.stream_embed[name] for name in self.out_dims], dim=1)  # (B, sum N_i, D)
        padding = None
        if padding_masks:
            whole = {name: tokens[name].new_zeros(tokens[name].shape[:2], dtype=torch.bool) for name in self.out_dims}
            padding = torch.cat([padding_masks.get(name, whole[name]) for name in self.out_dims], dim=1)
        for block in self.blocks:
            x = run_block(block, x, padding, recompute=self.checkpoint_activations)
        parts = self.norm(x).split([tokens[name].shape[1] for name in self.out_dims], dim=1)
        return dict(zip(self.out_dims, parts))

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseFusion.layer_id`."""
        if name.startswith('stream_embed.'):
            return 0
        return int(name.split('.')[1]) if name.startswith('blocks.') else None
