"""Defines the contract of a fusion block: it takes and returns the tokens of every stream."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor


class BaseFusion(BaseModule, metaclass=ABCMeta):
    """This is the base class of fusion blocks.

    Args:
        streams: Width of each stream's tokens by name; injected by the model.
        init_cfg: MMEngine initialisation config.

    The model injects what a fusion's constructor names: ``streams``, ``num_layers`` (of each encoder) and ``grids``
    (tokens per axis of the encoders that have a grid, after the encoder).

    Attributes that the models read:
        out_dims: Width of each stream's output.
        depth: Number of layers, for layer-wise learning rates.
    """

    depth: int
    __call__: Callable[..., dict[str, Tensor]]

    def __init__(
        self, streams: Mapping[str, int], init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None
    ) -> None:
        super().__init__(init_cfg)
        self.out_dims = dict(streams)

    def common_width(self, streams: Mapping[str, int]) -> int:
        """Returns the one width of all streams.

        Raises:
            ValueError: If the streams differ in width.
        """
        if len(set(streams.values())) != 1:
            raise ValueError(f'{type(self).__name__} needs streams of one width, got {dict(streams)}')
        return next(iter(streams.values()))

    @abstractmethod
    def forward(self, tokens: dict[str, Tensor], padding_masks: dict[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Fuses the streams.

        Args:
            tokens: ``(B, N_i, D)`` by stream.
            padding_masks: ``(B, N_i)`` bool by stream, True = padding, for streams that have any. All tokens of a
                clip may be padding: the clip lacks the stream, and what stands there must not reach the others.

        A fusion whose forward names ``summary`` also gets what encoders give for whole clips, ``(B, R, D)`` by stream.
        One whose forward names ``hidden`` gets the tokens of every encoder layer, a tuple of ``(B, N_i, D)`` by stream.

        Returns:
            ``(B, N_i, out_dims[i])`` by stream; rows of padding hold arbitrary finite values. There may be more entries
            than streams, for aggregators and objectives that know them.
        """

    @abstractmethod
    def layer_id(self, name: str) -> int | None:
        """Returns the fusion layer that a parameter belongs to, or ``None`` for parameters after the last layer."""
