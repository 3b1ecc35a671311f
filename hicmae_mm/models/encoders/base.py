"""Defines the contract of an encoder: it takes one stream and returns its tokens after every layer."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from math import prod
from typing import Any, NamedTuple

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn

from hicmae_mm.structures import Stream, TokenMask


class EncoderOutput(NamedTuple):
    """Stores what an encoder returns.

    Attributes:
        tokens: ``(B, K, D)``, the tokens that a fusion takes: the last layer's, normed.
        hidden: One ``(B, K, D)`` per layer, normed; the last one is ``tokens``. K may differ from layer to layer. An
            encoder of another library gives the layers as that library does.
        padding: ``(B, K)`` bool, True = padding, for input of different lengths; ``None`` means every token is real.
        summary: ``(B, R, D)`` tokens that stand for the whole clip, such as a class token; ``None`` means there are
            none.
        auxiliary: Further values for objectives, by name, such as the balance of experts; ``None`` means nothing.
    """

    tokens: Tensor
    hidden: tuple[Tensor, ...]
    padding: Tensor | None = None
    summary: Tensor | None = None
    auxiliary: dict[str, Tensor] | None = None


class BaseEncoder(BaseModule, metaclass=ABCMeta):
    """This is the base class of encoders. One class and one set of names serve pre-training and fine-tuning.

    An encoder for masked pre-training is a :class:`MaskableEncoder`.

    Attributes that the models read to fit the other components:
        embed_dims: Width D of its tokens.
        depth: Number of layers, ``len(EncoderOutput.hidden)``.
        token_seconds: Time from one token to the next, for encoders of waveforms; ``None`` means it depends on the
            input.
        gives_summary: Whether ``EncoderOutput.summary`` has tokens; ``None`` means not known before it runs. Components
            that need a summary are refused while the model is built if this is ``False``.
        stream: Name of its stream in the model, which sets it; messages name it.
    """

    embed_dims: int
    depth: int
    gives_summary: bool | None = None
    token_seconds: float | None = None
    stream: str | None = None
    __call__: Callable[..., EncoderOutput]

    @abstractmethod
    def forward(self, x: Any, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """Encodes a batch.

        Args:
            x: ``(B, C, ...)`` input of the stream, or sequences of different lengths
                (:class:`~hicmae_mm.structures.Padded`) for an encoder that takes them. Padding must not change the
                result of the other clips, and the output says which of its tokens are padding.
            mask: ``(B, N)`` bool, **True = masked**, equally many per clip, or its indexed form; only the ``K``
                visible tokens are encoded. ``None`` means all tokens, ``K = N``, or as many as :attr:`output_grid` has.

        Raises:
            ValueError: If the input has another size, or the encoder does not accept the mask.
        """

    @abstractmethod
    def layer_id(self, name: str) -> int | None:
        """Returns the depth of a parameter, for layer-wise learning rates.

        Args:
            name: Parameter name inside the encoder.

        Returns:
            0 for the embedding, ``i + 1`` for layer ``i``, ``None`` for parameters after the last layer.
        """

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """Returns the standard normal input of ``batch_size`` clips, to count and to time a model with.

        An encoder of patches needs nothing more than its grid; others say here what they take.

        Raises:
            TypeError: If the encoder has no grid, and does not say what it takes.
        """
        grid, patch, channels = (getattr(self, name, None) for name in ('grid', 'patch', 'in_channels'))
        if grid is None or patch is None or channels is None:
            raise TypeError(f'{type(self).__name__} does not say what it takes: it has no method example_input')
        size = [count * length for count, length in zip(grid, patch)]
        return torch.randn(batch_size, channels, *size, generator=generator)

    def split_steps(self, tokens: Tensor, x: Stream) -> Tensor:  # noqa: ARG002 (of encoders of frames)
        """Sorts the tokens of a clip by time: ``(B, N, D)`` to ``(B, steps, tokens of a step, D)``.

        The first axis of a grid is time. Without a grid, every token is a step.

        Args:
            tokens: Tokens of a layer.
            x: The input that they were made of.

        Raises:
            ValueError: If the tokens do not fill the grid.
        """
        grid = getattr(self, 'output_grid', getattr(self, 'grid', None))
        if grid is None:
            return tokens.unsqueeze(2)
        if tokens.shape[1] != prod(grid):
            raise ValueError(
                f'{type(self).__name__} has {tokens.shape[1]} tokens and a grid of {tuple(grid)}; tokens are sorted by '
                'time only if there is one for every place of the grid'
            )
        steps: Tensor = tokens.unflatten(1, (grid[0], -1))
        return steps

    @property
    def size(self) -> int:
        """Measures what a forward pass stores, to order encoders by."""
        return prod(getattr(self, 'grid', ())) * self.embed_dims * self.depth


class MaskableEncoder(BaseEncoder):
    """This is the base class of encoders whose tokens lie on a grid of patches, so that some can be masked.

    Attributes that the models read to fit the other components:
        grid: Tokens per axis; their product is N.
        patch: Input size of one token per axis.
        in_channels: Channels of its input.
    """

    grid: tuple[int, ...]
    patch: tuple[int, ...]
    in_channels: int

    @property
    def output_grid(self) -> tuple[int, ...]:
        """Returns the grid of its output tokens when nothing is masked."""
        return self.grid

    @property
    def skip_layers(self) -> range:
        """Layers with one token for each visible patch, which can be handed to a decoder."""
        return range(self.depth)


class ForeignEncoder(BaseEncoder):
    """This is the base class of encoders around a module of another library, which sets its own weights.

    MMEngine initialises every module that has a method ``init_weights``, which would overwrite what the module has
    loaded. This class marks them as initialised, and adds a rule for layer-wise learning rates.

    Args:
        net: The module.
        layer_pattern: Regular expression whose first group is the index of a layer, such as ``r'blocks\\.(\\d+)\\.'``.
        embedding_pattern: Regular expression of the names that belong to the embedding.
        init_cfg: MMEngine initialisation config.
        is_loaded: Whether the module has its weights. False lets MMEngine initialise it.

    Attributes:
        net: The module.
        reads_weights: Whether the encoder has read trained weights of its own, so that no checkpoint is needed.
    """

    reads_weights = False

    def __init__(
        self,
        net: nn.Module,
        layer_pattern: str,
        embedding_pattern: str = r'embed|conv|feature_|pre_layrnorm|batch_norm',
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
        is_loaded: bool = True,
    ) -> None:
        super().__init__(init_cfg)
        self.net = net
        part: Any
        for part in net.modules():
            if is_loaded and hasattr(part, 'init_weights'):
                part.is_init = True  # MMEngine passes by
        self._layer, self._embedding = re.compile(layer_pattern), re.compile(embedding_pattern)

    def layer_id(self, name: str) -> int | None:
        """See :meth:`BaseEncoder.layer_id`."""
        inner = name.removeprefix('net.')
        found = self._layer.search(inner)
        if found:
            return min(int(found.group(1)) + 1, self.depth)  # a model of stages may count as one layer
        return 0 if self._embedding.search(inner) else None
