"""Fusion of the utterances of a conversation (M2FNet, Chudasama et al., 2022)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.layers import Block, sine_positions
from hicmae_mm.models.layers.attention import Attention
from hicmae_mm.models.layers.blocks import NORM_EPS
from hicmae_mm.registry import MODELS


class QueryKeyValueAttention(Attention):
    """Computes multi-head attention whose queries, keys and values come from different sequences.

    Arguments as in :class:`~hicmae_mm.models.layers.attention.Attention`.
    """

    input_layers = ('q', 'k', 'v')

    def forward(self, query: Tensor, key: Tensor, value: Tensor, padding_mask: Tensor | None = None) -> Tensor:
        """Maps ``query (B, N, D)``, ``key`` and ``value (B, N', D)`` to ``(B, N, D)``; ``padding_mask (B, N')``."""
        (q,), (k,), (v,) = self.heads('q', query), self.heads('k', key), self.heads('v', value)
        return self.attend(q, k, v, padding_mask)


class FusionAttention(nn.Module):
    """Applies one layer: the leading stream gathers from itself by the keys of every other stream.

    Queries and values are the leading stream's, keys are the other stream's. What was gathered by each other stream is
    joined to the leading stream, and a linear layer with ReLU brings it back to the width D. A residual connection is
    around the layer.

    Args:
        embed_dims: Width D.
        others: Names of the other streams.
        num_heads: Heads of each attention.
        drop: Probability of dropping an element of what the attentions and the layer put out.
    """

    def __init__(self, embed_dims: int, others: tuple[str, ...], num_heads: int, drop: float) -> None:
        super().__init__()
        self.attn = nn.ModuleDict(
            {name: QueryKeyValueAttention(embed_dims, num_heads, proj_drop=drop) for name in others}
        )
        self.norm = nn.LayerNorm(embed_dims, eps=NORM_EPS)
        self.proj = nn.Linear((1 + len(others)) * embed_dims, embed_dims)
        self.drop = nn.Dropout(drop)

    def forward(self, leading: Tensor, keys: Mapping[str, Tensor], padding: Mapping[str, Tensor]) -> Tensor:
        """Maps ``(B, U, D)`` to ``(B, U, D)``.

        ``padding`` has the rows ``(B, U)`` that may not be gathered by a key.
        """
        normed = self.norm(leading)
        parts = [attn(normed, keys[name], normed, padding.get(name)) for name, attn in self.attn.items()]
        output: Tensor = leading + self.drop(F.relu(self.proj(torch.cat([normed, *parts], dim=-1))))
        return output


@MODELS.register_module()
class ConversationFusion(BaseFusion):
    """Fuses streams of equally many time steps, such as the utterances of a conversation (M2FNet).

    First the steps of every stream attend to each other: ``context_depth`` transformer blocks per stream. Then one
    stream leads: in each of ``depth`` layers it gathers from itself, by the keys of every other stream
    (:class:`FusionAttention`). The output of the leading stream is the fused one, the others are those of the context
    blocks.

    The published description gives query, key and value of the attention, the joining and the stack. Norms, residual
    connections and sine positions are choices of this project.

    Args:
        streams: Width of each stream; injected by the model.
        embed_dims: Width D of the fusion. Every stream is projected to it first.
        leading: Stream whose queries and values are used.
        context_depth: Transformer blocks over the steps of every stream.
        depth: Layers of fusion attention.
        num_heads: Heads of every attention.
        mlp_ratio: Hidden width of the MLPs over D.
        drop: Dropout behind the projection, in the blocks and in the layers.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the model has no stream of the name ``leading``.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        embed_dims: int = 256,
        leading: str = 'text',
        context_depth: int = 1,
        depth: int = 2,
        num_heads: int = 4,
        mlp_ratio: float = 4.0,
        drop: float = 0.1,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(streams, init_cfg)
        if leading not in streams:
            raise ValueError(f'leading must be one of the streams {list(streams)}, got {leading!r}')
        self.out_dims = dict.fromkeys(streams, embed_dims)
        self.leading, self.embed_dims = leading, embed_dims
        self.context_depth, self.depth = context_depth, context_depth + depth
        self.proj = nn.ModuleDict({name: nn.Linear(width, embed_dims) for name, width in streams.items()})
        self.drop = nn.Dropout(drop)
        self.context = nn.ModuleDict(
            {
                name: nn.ModuleList(Block(embed_dims, num_heads, mlp_ratio, drop=drop) for _ in range(context_depth))
                for name in streams
            }
        )
        others = tuple(name for name in streams if name != leading)
        self.layers = nn.ModuleList(FusionAttention(embed_dims, others, num_heads, drop) for _ in range(depth))
        self.norms = nn.ModuleDict({name: nn.LayerNorm(embed_dims, eps=NORM_EPS) for name in streams})

    def forward(self, tokens: dict[str, Tensor], padding_masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """See :meth:`BaseFusion.forward`."""
        padding = padding_masks or {}
        steps = {name: self._in_context(name, tokens[name], padding.get(name)) for name in self.out_dims}
        counts = {name: value.shape[1] for name, value in steps.items()}
        num_steps = max(counts.values())
        if any(count not in (1, num_steps) for count in counts.values()):
            raise ValueError(f'ConversationFusion needs streams of equally many time steps, got {counts}')
        # one step stands for a stream that is the same at every step, or that all lack
        keys = {name: value.expand(-1, num_steps, -1) for name, value in steps.items()}
        leading = keys[self.leading]
        hidden = {name: self._hidden(padding, name, num_steps) for name in self.out_dims if name != self.leading}
        for layer in self.layers:
            leading = layer(leading, keys, {name: rows for name, rows in hidden.items() if rows is not None})
        fused = {**steps, self.leading: leading[:, : counts[self.leading]]}
        return {name: self.norms[name](value) for name, value in fused.items()}

    def _in_context(self, name: str, tokens: Tensor, padding: Tensor | None) -> Tensor:
        """Maps ``(B, U, D_in)`` to ``(B, U, D)``."""
        x: Tensor = self.drop(self.proj[name](tokens))
        x = x + sine_positions(x.shape[1], self.embed_dims).to(x)
        for block in self.context[name].children():
            x = block(x, padding)
        return x

    def _hidden(self, padding: Mapping[str, Tensor], name: str, num_steps: int) -> Tensor | None:
        """Steps that may not be gathered by the keys of a stream: those without the key or without the value."""
        rows = [padding[key].expand(-1, num_steps) for key in (name, self.leading) if key in padding]
        if not rows:
            return None
        return rows[0] if len(rows) == 1 else rows[0] | rows[1]

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseFusion.layer_id`."""
        parts = name.split('.')
        if parts[0] == 'proj':
            return 0
        if parts[0] == 'context':
            return int(parts[2])
        return self.context_depth + int(parts[1]) if parts[0] == 'layers' else None
