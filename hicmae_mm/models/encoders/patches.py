"""Holds what encoders of a grid of patches share: the embedding of all patches or of the visible ones."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot
from hicmae_mm.models.encoders.base import MaskableEncoder
from hicmae_mm.models.layers import PatchEmbed, gather_tokens, sine_positions
from hicmae_mm.structures import TokenMask, as_token_mask


class PatchEncoder(MaskableEncoder):
    """This is the base class of encoders that embed patches and add fixed positions. Only visible patches are embedded.

    Args:
        patch_embed: The slot that decides the modality, e.g. ``dict(type='TubeletEmbed')``.
        embed_dims: Width D.
        depth: Number of layers L.
        learned_positions: Whether the positions are parameters that start from the fixed table, for an encoder that is
            initialised from a checkpoint with a table of its own.
        stream_embedding: Add a learned vector to all tokens, which tells streams apart whose blocks are one module.
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config, e.g. a checkpoint for this encoder alone.
    """

    positions: Tensor

    def __init__(
        self,
        patch_embed: dict[str, Any] | PatchEmbed,
        embed_dims: int,
        depth: int,
        learned_positions: bool = False,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        stream_embedding: bool = False,
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
        self.stream_embed = nn.Parameter(torch.zeros(embed_dims)) if stream_embedding else None

    def embed(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> Tensor:
        """Embeds the input: ``(B, N, D)``, or the visible tokens ``(B, K, D)`` of a mask.

        Raises:
            ValueError: If the mask has another grid.
        """
        if mask is None:
            tokens: Tensor = self.patch_embed(x) + self.positions  # (B, N, D)
        else:
            where = as_token_mask(mask)
            self.check_mask(where)
            tokens = self.patch_embed(x, where.visible) + gather_tokens(self.positions, where.visible)  # (B, K, D)
        return tokens if self.stream_embed is None else tokens + self.stream_embed

    def check_mask(self, mask: TokenMask) -> None:
        """Raises ValueError when a mask does not fit the encoder."""
        num_tokens = self.positions.shape[1]
        if mask.mask.shape[1] != num_tokens:
            raise ValueError(
                f'the mask has {mask.mask.shape[1]} tokens, the encoder {num_tokens} (grid {self.grid}); '
                "set the mask transform's grid to the encoder's"
            )

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        if name in ('positions', 'stream_embed') or name.startswith('patch_embed.'):
            return 0
        return int(name.split('.')[1]) + 1 if name.startswith('blocks.') else None
