"""Defines the vision transformer of HiCMAE, for video and audio alike."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.encoders.base import EncoderOutput
from hicmae_mm.models.encoders.patches import PatchEncoder
from hicmae_mm.models.layers import Block, PatchEmbed, run_block
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask


@MODELS.register_module()
class VisionTransformerEncoder(PatchEncoder):
    """Embeds patches, adds fixed positions, and applies blocks. Every layer's output passes the one final norm.

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
        stream_embedding: Add a learned vector to all tokens, which tells streams apart whose blocks are one module
            (``tied`` of the models).
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config, e.g. a checkpoint for this encoder alone.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.encoders import VisionTransformerEncoder
        >>> patches = dict(type='SpectrogramEmbed', num_frames=32, num_mel_bins=32)
        >>> encoder = VisionTransformerEncoder(patches, embed_dims=8, depth=2, num_heads=2)
        >>> output = encoder(torch.randn(1, 1, 32, 32), mask=torch.tensor([[True, True, False, True]]))
        >>> output.tokens.shape, len(output.hidden)  # the one visible token, after two layers
        (torch.Size([1, 1, 8]), 2)
    """

    gives_summary = False

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
        stream_embedding: bool = False,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(
            patch_embed, embed_dims, depth, learned_positions, checkpoint_activations, init_cfg, stream_embedding
        )
        drop_path = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.token_drop = nn.Dropout(drop_rate)
        self.blocks = nn.ModuleList(
            Block(embed_dims, num_heads, mlp_ratio, qkv_bias, rate, drop_rate, attn_drop_rate) for rate in drop_path
        )
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.apply(init_transformer)

    def forward(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`; accepts any mask of equal count per clip."""
        tokens = self.token_drop(self.embed(x, mask))
        hidden = []
        for block in self.blocks:
            tokens = run_block(block, tokens, recompute=self.checkpoint_activations)
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden))
