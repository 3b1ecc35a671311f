"""Defines the contract of an aggregator: it turns all tokens of a clip into one feature."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Sequence

from mmengine.model import BaseModule
from torch import Tensor

from hicmae_mm.structures import Stream


class BaseAggregator(BaseModule, metaclass=ABCMeta):
    """This is the base class of aggregators.

    The model injects what an aggregator's constructor names: ``streams`` (width of each stream's encoder),
    ``num_layers`` (of each encoder), ``fused`` (width of each stream after fusion), ``grids`` (tokens per axis of
    the encoders that have a grid, after the encoder) and ``without_summary`` (streams whose encoder gives no summary).

    Attributes:
        out_channels: Length of the feature.
        level: ``'clip'``: one feature per clip. ``'frame'``: one feature per time step; the head must be of that level.
        summary_replaces_tokens: Whether the summary of a stream takes the place of its fused tokens. Both must then
            have one width, which the recognizer checks.
    """

    out_channels: int
    level: str = 'clip'
    summary_replaces_tokens: bool = False
    __call__: Callable[..., Stream]

    @abstractmethod
    def forward(
        self,
        hidden: dict[str, Sequence[Tensor]],
        fused: dict[str, Tensor],
        padding: dict[str, Tensor] | None = None,
        summary: dict[str, Tensor] | None = None,
    ) -> Stream:
        """Aggregates a clip.

        Args:
            hidden: Every encoder layer's normed tokens ``(B, N_i, D)`` by stream.
            fused: ``(B, N_i, D)`` by stream: the fusion's output, or each encoder's last tokens without a fusion.
            padding: ``(B, N_i)`` bool, True = padding, for streams that have any. An aggregator without this argument
                is refused where input has different lengths.
            summary: ``(B, R, D)`` by stream whose encoder gives tokens that stand for the whole clip. An aggregator
                without this argument does not get them.

        Returns:
            ``(B, out_channels)`` for level ``'clip'``. For level ``'frame'``: ``(B, T, out_channels)``, or
            :class:`~hicmae_mm.structures.Padded` if clips differ in length.
        """
