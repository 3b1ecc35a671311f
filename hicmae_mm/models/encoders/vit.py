"""The vision transformer of HiCMAE, for video and audio alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import EncoderOutput, MaskableEncoder
from hicmae_mm.models.layers import (
    Block,
    PatchEmbed,
    TokenMask,
    as_token_mask,
    gather_tokens,
    run_block,
    sine_positions,
)
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.models.utils import build_slot, init_transformer
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class VisionTransformerEncoder(MaskableEncoder):
    """Patch embedding plus fixed positions, then blocks; every layer's output passes the one final norm.

    Only visible patches are embedded when a mask is given. Source: HiCMAE, "Modules".

    Args:
        patch_embed: The slot that decides the modality, e.g. ``dict(type='TubeletEmbed')``.
        embed_dims: Width D.
        depth: Number of blocks L.
        num_heads: Heads per block.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last block; grows linearly from 0 at the first.
        learned_positions: Whether the positions are parameters that start from the fixed table, for an encoder that is
            initialised from a checkpoint with a table of its own.
        drop_rate: Dropout of the embedded tokens and of what attention and MLP put out.
        attn_drop_rate: Dropout of attention weights.
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config, e.g. a checkpoint for this encoder alone.
    """

    positions: Tensor

    def __init__(
        self,
        patch_embed: dict[str, Any] | PatchEmbed,
        embed_dims: int = 512,
        depth: int = 10,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.0,
        learned_positions: bool = False,
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.patch_embed: PatchEmbed = build_slot(patch_embed, 'patch_embed', embed_dims=embed_dims)
        self.embed_dims, self.depth = embed_dims, depth
        self.grid, self.patch = self.patch_embed.grid, self.patch_embed.patch
        self.in_channels = self.patch_embed.in_channels
        self.checkpoint_activations = checkpoint_activations
        positions = sine_positions(torch.Size(self.grid).numel(), embed_dims)
        if learned_positions:
            self.positions = nn.Parameter(positions)  # (1, N, D)
        else:
            self.register_buffer('positions', positions, persistent=False)  # (1, N, D)
        drop_path = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.token_drop = nn.Dropout(drop_rate)
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, mlp_ratio, qkv_bias, rate, drop_rate, attn_drop_rate) for rate in drop_path
        )
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.apply(init_transformer)

    def forward(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`; accepts any mask of equal count per clip."""
        if mask is None:
            tokens = self.patch_embed(x) + self.positions  # (B, N, D)
        else:
            where = as_token_mask(mask)
            self._check_mask(where)
            tokens = self.patch_embed(x, where.visible) + gather_tokens(self.positions, where.visible)  # (B, K, D)
        tokens = self.token_drop(tokens)
        hidden = []
        for block in self.blocks:
            tokens = run_block(block, tokens, recompute=self.checkpoint_activations and self.training)
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden))

    def _check_mask(self, mask: TokenMask) -> None:
        num_tokens = self.positions.shape[1]
        if mask.mask.shape[1] != num_tokens:
            raise ValueError(
                f'the mask has {mask.mask.shape[1]} tokens, the encoder {num_tokens} (grid {self.grid}); '
                "set the mask transform's grid to the encoder's"
            )

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        if name == 'positions' or name.startswith('patch_embed.'):
            return 0
        return int(name.split('.')[1]) + 1 if name.startswith('blocks.') else None
