"""Makes one feature per time step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream


@MODELS.register_module()
class FrameTokens(BaseAggregator):
    """Puts the fused tokens of every time step side by side, stream by stream.

    The tokens of an encoder with a grid (time, height, width) are averaged over height and width. Other tokens are
    taken for one per time step.

    Args:
        fused: Width of each stream after fusion; injected by the model.
        grids: Tokens per axis of the encoders that have a grid, time first; injected by the model.
        num_steps: Time steps of the result. Streams with another number are interpolated linearly between the centres
            of their steps. ``None`` means all streams must have one number of steps.
        streams: Streams to take; ``None`` means all.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the model does not have a stream.

    Example:
        >>> import torch
        >>> from hicmae_mm.models.aggregators import FrameTokens
        >>> grids = dict(video=(4, 2, 2), audio=(8, 2))
        >>> aggregator = FrameTokens(fused=dict(video=8, audio=8), grids=grids, num_steps=4)
        >>> aggregator(hidden={}, fused=dict(video=torch.randn(1, 16, 8), audio=torch.randn(1, 16, 8))).shape
        torch.Size([1, 4, 16])
    """

    level = 'frame'

    def __init__(
        self,
        fused: Mapping[str, int],
        grids: Mapping[str, Sequence[int]],
        num_steps: int | None = None,
        streams: Sequence[str] | None = None,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.streams = tuple(fused) if streams is None else tuple(streams)
        unknown = set(self.streams) - set(fused)
        if unknown or not self.streams:
            raise ValueError(f'streams must be some of {list(fused)}, got {streams}')
        self.grids = {name: tuple(grid) for name, grid in grids.items()}
        self.num_steps = num_steps
        self.out_channels = sum(fused[name] for name in self.streams)

    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],  # noqa: ARG002 (of the contract)
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,  # noqa: ARG002 (of the contract)
    ) -> Stream:
        """See :meth:`BaseAggregator.forward`."""
        steps = {name: self._steps(name, fused[name]) for name in self.streams}
        padded = [name for name in self.streams if name in (padding or {})]
        if self.num_steps is not None:
            if padded:
                raise ValueError(
                    f'num_steps={self.num_steps} is for clips of one length, but {padded} differ in length'
                )
            steps = {name: _interpolate(value, self.num_steps) for name, value in steps.items()}
        longest = max(value.shape[1] for value in steps.values())
        # one step stands for the whole clip, and for a stream that all clips lack
        steps = {name: value.expand(-1, longest, -1) if value.shape[1] == 1 else value for name, value in steps.items()}
        counts = {name: value.shape[1] for name, value in steps.items()}
        if len(set(counts.values())) > 1:
            raise ValueError(f'the streams have different numbers of time steps, {counts}; set num_steps')
        features = torch.cat(list(steps.values()), dim=-1)  # (B, T, sum of D)
        if not padded:
            return features
        assert padding is not None
        lengths = torch.stack([(~padding[name]).sum(dim=1) for name in padded]).amax(dim=0)  # (B,)
        return Padded(features, lengths)

    def _steps(self, name: str, tokens: Tensor) -> Tensor:
        """Maps ``(B, N, D)`` to ``(B, T, D)``."""
        grid = self.grids.get(name)
        if grid is None or tokens.shape[1] == 1:
            return tokens
        steps: Tensor = tokens.unflatten(1, (grid[0], -1)).mean(dim=2)  # (B, T, rest, D) -> (B, T, D)
        return steps


def _interpolate(tokens: Tensor, num_steps: int) -> Tensor:
    """Maps ``(B, T, D)`` to ``(B, num_steps, D)``."""
    if tokens.shape[1] == num_steps:
        return tokens
    return F.interpolate(tokens.transpose(1, 2), num_steps, mode='linear', align_corners=False).transpose(1, 2)
