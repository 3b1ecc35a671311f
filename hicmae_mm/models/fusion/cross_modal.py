"""HiCMAE's cross-modal fusion encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.building import init_transformer
from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.layers import CrossBlock, run_block
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class CrossModalFusion(BaseFusion):
    """Pairs of cross blocks: in every layer both streams attend to the *previous* layer's values of the other.

    Source: HiCMAE, "Modules", fusion encoder. Each stream has its own final norm.

    With ``updates`` of one stream the fusion has one direction: that stream attends to the other, layer by layer, and
    the other passes through unchanged, without blocks or norm of its own.

    Args:
        streams: Width of each of the two streams, which must agree; injected by the model.
        depth: Number of pairs.
        num_heads: Heads of both attentions.
        mlp_ratio: Hidden width of the MLPs over D.
        qkv_bias: Whether queries and values are biased.
        drop_path_rate: Drop-path probability of the last layer; grows linearly from 0 at the first.
        drop_rate: Dropout of what attention and MLP put out.
        attn_drop_rate: Dropout of attention weights.
        updates: Streams that attend to the other one; ``None`` means both.
        checkpoint_activations: Recompute the blocks' activations in the backward pass to save memory.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If there are not exactly two streams, they differ in width, or ``updates`` names none of them.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.fusion import CrossModalFusion
        >>> fusion = CrossModalFusion(dict(video=8, audio=8), depth=1, num_heads=2)
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
        drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        updates: Sequence[str] | None = None,
        checkpoint_activations: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(streams, init_cfg)
        if len(streams) != 2:
            raise ValueError(f'CrossModalFusion fuses exactly two streams, got {list(streams)}; use another fusion')
        self.updates = tuple(streams) if updates is None else tuple(name for name in streams if name in updates)
        if not self.updates or set(updates or ()) - set(streams):
            raise ValueError(f'updates must be some of the streams {list(streams)}, got {updates!r}')
        self.checkpoint_activations = checkpoint_activations
        width, self.depth = self.common_width(streams), depth
        rates = torch.linspace(0, drop_path_rate, depth, device='cpu').tolist()
        self.blocks: Mapping[str, nn.ModuleList] = nn.ModuleDict(  # type: ignore[assignment]
            {
                name: nn.ModuleList(
                    CrossBlock(width, num_heads, mlp_ratio, qkv_bias, rate, drop_rate, attn_drop_rate) for rate in rates
                )
                for name in self.updates
            }
        )
        self.norms = nn.ModuleDict({name: nn.LayerNorm(width, eps=NORM_EPS) for name in self.updates})
        self.apply(init_transformer)

    def forward(self, tokens: dict[str, Tensor], padding_masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """See :meth:`BaseFusion.forward`."""
        first, second = self.out_dims
        other = {first: second, second: first}
        padding = padding_masks or {}
        fused = {name: tokens[name] for name in self.out_dims}
        for layer in range(self.depth):
            updated = {
                name: run_block(
                    self.blocks[name][layer],
                    fused[name],
                    fused[other[name]],
                    padding.get(name),
                    padding.get(other[name]),
                    recompute=self.checkpoint_activations,
                )
                for name in self.updates
            }
            fused = fused | updated
        return fused | {name: self.norms[name](fused[name]) for name in self.updates}

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseFusion.layer_id`."""
        return int(name.split('.')[2]) if name.startswith('blocks.') else None
