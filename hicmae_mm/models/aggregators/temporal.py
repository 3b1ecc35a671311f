"""Applies a small transformer to the frames of a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from einops import rearrange
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class TemporalTransformerAggregator(BaseAggregator):
    """Adds the summary tokens of all streams per frame, and reads the sequence of frames by a class token.

    A stream with one summary token adds it to every frame. A stream in ``joined`` is not added: the mean of its summary
    tokens follows the class token in the feature. Sources: MMA-DFER (Chumachenko et al., 2024), and CLAIP-Emo, which
    joins the sound.

    Args:
        streams: Width of each stream's encoder, equal for all that are added; injected by the model.
        num_frames: Number of frames.
        out_channels: Width of the transformer. ``None`` means the width of the streams, which are then not projected.
        depth: Number of layers.
        num_heads: Heads per layer.
        head_dims: Width of a head.
        mlp_dims: Hidden width of the MLPs.
        drop_rate: Dropout of what attention and MLP put out.
        joined: Streams whose summary follows the class token in the feature.
        without_summary: Streams whose encoder gives no summary tokens; injected by the model.
        init_cfg: MMEngine initialisation config.

    Attributes:
        out_channels: Length of the feature: the width of the transformer and those of the joined streams.

    Raises:
        ValueError: If added streams differ in width or there are none, ``joined`` has unknown names, or streams are
            without summary tokens.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        num_frames: int = 16,
        out_channels: int | None = 512,
        depth: int = 1,
        num_heads: int = 8,
        head_dims: int = 64,
        mlp_dims: int = 1024,
        drop_rate: float = 0.0,
        joined: Sequence[str] = (),
        without_summary: Sequence[str] = (),
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.added = tuple(name for name in streams if name not in joined)
        self.joined = tuple(joined)
        if not self.added or not set(joined) <= set(streams):
            raise ValueError(f'joined must name some of the streams {list(streams)} and not all, got {list(joined)}')
        if len({streams[name] for name in self.added}) != 1:
            raise ValueError(
                f'TemporalTransformerAggregator adds the streams, their widths must be equal, got {streams}'
            )
        _check_summaries(without_summary)
        width, self.num_frames = streams[self.added[0]], num_frames
        self.proj = nn.Identity() if out_channels is None else nn.Linear(width, out_channels)
        width = out_channels or width
        self.out_channels = width + sum(streams[name] for name in joined)
        self.cls_token = nn.Parameter(torch.randn(1, 1, width))
        self.positions = nn.Parameter(torch.randn(1, 1 + num_frames, width))
        self.layers = nn.ModuleList(
            TemporalLayer(width, num_heads, head_dims, mlp_dims, drop_rate) for _ in range(depth)
        )

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],  # noqa: ARG002 (of the contract)
        padding: dict[str, Tensor] | None = None,  # noqa: ARG002 (of the contract)
        summary: dict[str, Tensor] | None = None,
    ) -> Tensor:
        """See :meth:`BaseAggregator.forward`; ``summary`` has ``(B, num_frames or 1, D)`` of every stream."""
        _check_summaries([name for name in (*self.added, *self.joined) if name not in (summary or {})])
        assert summary is not None
        first, *others = (summary[name] for name in self.added)
        for other in others:
            first = first + other  # (B, T, D) + (B, 1, D)
        frames = self.proj(first)  # (B, T, out)
        if frames.shape[1] != self.num_frames:
            raise ValueError(f'num_frames={self.num_frames}, but the clip has {frames.shape[1]} frames')
        sequence = torch.cat([self.cls_token.expand(frames.shape[0], -1, -1), frames], dim=1) + self.positions
        for layer in self.layers:
            sequence = layer(sequence)
        return torch.cat([sequence[:, 0], *(summary[name].mean(dim=1) for name in self.joined)], dim=-1)


def _check_summaries(missing: Sequence[str]) -> None:
    if missing:
        raise ValueError(f'the encoders of {list(missing)} give no summary tokens, which this aggregator reads')


class TemporalLayer(BaseModule):
    """Applies a pre-norm transformer layer whose heads have a width of their own.

    Args:
        embed_dims: Width D.
        num_heads: Number of heads.
        head_dims: Width of a head.
        mlp_dims: Hidden width of the MLP.
        drop_rate: Dropout of what attention and MLP put out.
    """

    def __init__(self, embed_dims: int, num_heads: int, head_dims: int, mlp_dims: int, drop_rate: float) -> None:
        super().__init__()
        self.num_heads, inner = num_heads, num_heads * head_dims
        self.norm1, self.norm2 = nn.LayerNorm(embed_dims), nn.LayerNorm(embed_dims)
        self.q, self.kv = nn.Linear(embed_dims, inner, bias=False), nn.Linear(embed_dims, 2 * inner, bias=False)
        self.proj = nn.Linear(inner, embed_dims)
        self.fc1, self.fc2 = nn.Linear(embed_dims, mlp_dims), nn.Linear(mlp_dims, embed_dims)
        self.drop = nn.Dropout(drop_rate)

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, N, D)`` to ``(B, N, D)``."""
        normed = self.norm1(x)
        q = rearrange(self.q(normed), 'b n (h d) -> b h n d', h=self.num_heads)
        k, v = rearrange(self.kv(normed), 'b n (part h d) -> part b h n d', part=2, h=self.num_heads)
        attended = rearrange(F.scaled_dot_product_attention(q, k, v), 'b h n d -> b n (h d)')
        x = x + self.drop(self.proj(attended))
        output: Tensor = x + self.drop(self.fc2(F.gelu(self.fc1(self.norm2(x)), approximate='tanh')))
        return output
