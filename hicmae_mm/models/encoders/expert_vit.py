"""Defines a vision transformer with experts in some of its blocks (S4D)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.encoders.base import EncoderOutput
from hicmae_mm.models.encoders.experts import ExpertBlock, ExpertMixture
from hicmae_mm.models.encoders.patches import PatchEncoder
from hicmae_mm.models.layers import Block, PatchEmbed, run_block
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import TokenMask


@MODELS.register_module()
class ExpertViTEncoder(PatchEncoder):
    """Applies plain blocks, some of which have a mixture of experts beside their MLP.

    The output's ``auxiliary['balance']`` is the sum of all routers' balances, for the objective ``ExpertBalance``.

    Args:
        patch_embed: The slot that decides the modality.
        embed_dims: Width D.
        depth: Number of blocks L.
        num_heads: Heads per block.
        expert_layers: 0-based blocks with experts.
        num_experts: Experts of a block E.
        top_k: Experts of each token.
        expert_ratio: Hidden width of an expert over D.
        capacity_factor: Tokens that an expert takes of a training batch, over its even share.
        noise: Phase in which routers add noise: ``'training'``, ``'always'`` (as published, also in evaluation) or
            ``'never'``.
        limits_evaluation: Limit the tokens of an expert in evaluation too, as published. The result of a clip then
            depends on the other clips of its batch.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last block; grows linearly from 0 at the first.
        final_norm: Whether outputs pass a LayerNorm. The published fine-tuning has none in the encoder.
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config, e.g. a checkpoint for this encoder alone.

    Raises:
        ValueError: If a block with experts does not exist.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.encoders import ExpertViTEncoder
        >>> patches = dict(type='TubeletEmbed', image_size=32, num_frames=4)
        >>> encoder = ExpertViTEncoder(patches, embed_dims=8, depth=2, num_heads=2, expert_layers=(1,), num_experts=4)
        >>> encoder(torch.randn(1, 3, 4, 32, 32)).tokens.shape
        torch.Size([1, 8, 8])
    """

    gives_summary = False

    def __init__(
        self,
        patch_embed: dict[str, Any] | PatchEmbed,
        embed_dims: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        expert_layers: Sequence[int] = (6, 7, 8, 9, 10, 11),
        num_experts: int = 8,
        top_k: int = 2,
        expert_ratio: float = 0.25,
        capacity_factor: float = 1.0,
        noise: str = 'training',
        limits_evaluation: bool = False,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.0,
        final_norm: bool = True,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(
            patch_embed, embed_dims, depth, checkpoint_activations=checkpoint_activations, init_cfg=init_cfg
        )
        if any(layer not in range(depth) for layer in expert_layers):
            raise ValueError(f'expert_layers={tuple(expert_layers)}, but the encoder has the blocks 0..{depth - 1}')
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        blocks: list[Block] = []
        for layer, rate in enumerate(rates):
            if layer in expert_layers:
                mixture = ExpertMixture(
                    embed_dims,
                    num_experts,
                    top_k,
                    int(embed_dims * expert_ratio),
                    capacity_factor,
                    noise,
                    limits_evaluation,
                )
                blocks.append(ExpertBlock(embed_dims, num_heads, mixture, mlp_ratio, qkv_bias, rate))
            else:
                blocks.append(Block(embed_dims, num_heads, mlp_ratio, qkv_bias, rate))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS) if final_norm else nn.Identity()
        self.apply(init_transformer)

    def forward(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`; accepts any mask of equal count per clip."""
        tokens = self.embed(x, mask)
        hidden, balances = [], [tokens.new_zeros(())]
        for block in self.blocks:
            output = run_block(block, tokens, recompute=self.checkpoint_activations)
            if isinstance(block, ExpertBlock):
                tokens, balance = cast('tuple[Tensor, Tensor]', output)
                balances.append(balance)
            else:
                tokens = output
            hidden.append(self.norm(tokens))
        return EncoderOutput(hidden[-1], tuple(hidden), auxiliary={'balance': torch.stack(balances).sum()})
