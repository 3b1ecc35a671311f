"""The contract of an encoder: one stream in, its tokens after every layer out."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from typing import NamedTuple

from mmengine.model import BaseModule
from torch import Tensor

from hicmae_mm.models.layers.token_ops import TokenMask


class EncoderOutput(NamedTuple):
    """What an encoder returns.

    Attributes:
        tokens: ``(B, K, D)``, the last layer's normed tokens.
        hidden: One ``(B, K, D)`` per layer, normed; ``tokens`` is the last of them.
    """

    tokens: Tensor
    hidden: tuple[Tensor, ...]


class BaseEncoder(BaseModule, metaclass=ABCMeta):
    """Base class of encoders. One class and one set of parameter names serve pre-training and fine-tuning.

    Attributes that the models read to fit the other components:
        embed_dims: Width D of its tokens.
        depth: Number of layers, ``len(EncoderOutput.hidden)``.
        grid: Tokens per axis; their product is N.
        patch: Input size of one token per axis.
        in_channels: Channels of its input.
    """

    embed_dims: int
    depth: int
    grid: tuple[int, ...]
    patch: tuple[int, ...]
    in_channels: int

    @abstractmethod
    def forward(self, x: Tensor, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes a batch.

        Args:
            x: ``(B, C, ...)`` input of the stream.
            mask: ``(B, N)`` bool, **True = masked**, equally many per clip, or its indexed form; only the ``K``
                visible tokens are encoded. ``None``: all tokens, ``K = N``.

        Raises:
            ValueError: An input of another size, or a mask the encoder does not accept.
        """

    @abstractmethod
    def layer_id(self, name: str) -> int | None:
        """Depth of a parameter, for layer-wise learning rates.

        Args:
            name: Parameter name inside the encoder.

        Returns:
            0 for the embedding, ``i + 1`` for layer ``i``, ``None`` for parameters after the last layer.
        """
