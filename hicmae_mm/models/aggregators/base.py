"""The contract of an aggregator: all tokens of a clip in, one feature out."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor


class BaseAggregator(BaseModule, metaclass=ABCMeta):
    """Base class of aggregators.

    Attributes:
        out_channels: Length of the clip feature.
    """

    out_channels: int

    @abstractmethod
    def forward(self, hidden: dict[str, Sequence[Tensor]], fused: dict[str, Tensor]) -> Tensor:
        """Aggregates a clip.

        Args:
            hidden: Every encoder layer's normed tokens ``(B, N_i, D)`` by stream.
            fused: ``(B, N_i, D)`` by stream: the fusion's output, or each encoder's last tokens without a fusion.

        Returns:
            ``(B, out_channels)``.
        """
