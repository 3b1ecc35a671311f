"""HiCMAE's cross-modal fusion encoder."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.layers import CrossBlock
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.models.utils import init_transformer
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class CrossModalFusion(BaseFusion):
    """Pairs of cross blocks: in every layer both streams attend to the *previous* layer's values of the other.

    Source: HiCMAE, "Modules", fusion encoder. Each stream has its own final norm.

    Args:
        streams: Width of each of the two streams, which must agree; injected by the model.
        depth: Number of pairs.
        num_heads: Heads of both attentions.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last layer; grows linearly from 0 at the first.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: Not exactly two streams, or streams of different width.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        depth: int = 2,
        num_heads: int = 8,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        drop_path_rate: float = 0.0,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(streams, init_cfg)
        if len(streams) != 2:
            raise ValueError(f'CrossModalFusion fuses exactly two streams, got {list(streams)}; use another fusion')
        width, self.depth = self.common_width(streams), depth
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.blocks: Mapping[str, nn.ModuleList] = nn.ModuleDict(  # type: ignore[assignment]
            {
                name: nn.ModuleList(CrossBlock(width, num_heads, mlp_ratio, qkv_bias, rate) for rate in rates)
                for name in streams
            }
        )
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width, eps=NORM_EPS) for name in streams})
        self.apply(init_transformer)

    def forward(self, tokens: dict[str, Tensor], padding_masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """See :meth:`BaseFusion.forward`."""
        first, second = self.out_dims
        padding = padding_masks or {}
        a, b = tokens[first], tokens[second]
        pad_a, pad_b = padding.get(first), padding.get(second)
        for block_a, block_b in zip(self.blocks[first], self.blocks[second]):
            a, b = block_a(a, b, pad_a, pad_b), block_b(b, a, pad_b, pad_a)
        return {first: self.norms[first](a), second: self.norms[second](b)}

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseFusion.layer_id`."""
        return int(name.split('.')[2]) if name.startswith('blocks.') else None
