"""Encoders of features that were extracted before: one vector per clip, or a sequence of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput
from hicmae_mm.models.layers import LinearStack
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Padded, Stream, TokenMask

EXAMPLE_STEPS = 50


@MODELS.register_module()
class FeatureMLPEncoder(BaseEncoder):
    """Applies linear layers to feature vectors (MER2023 baseline; MERTools for features of whole clips).

    A vector ``(B, in_channels)`` becomes one token per clip. In a sequence, every vector becomes a token.

    Args:
        in_channels: Length of the feature vectors.
        widths: Width of every layer. Without any, the features themselves are the tokens.
        drop: Probability of dropping an element behind every layer (the 2023 edition).
        input_drop: Probability of dropping an element of the features (the 2024 edition).
        has_special_tokens: Whether the first vector of a sequence stands for the whole clip and the last one closes it,
            as in the output of BERT. The first becomes the summary, and the last is not used.
        init_cfg: MMEngine initialisation config.

    Example:
        >>> encoder = FeatureMLPEncoder(in_channels=1024, widths=(256, 128))
        >>> encoder(torch.zeros(2, 1024)).tokens.shape
        torch.Size([2, 1, 128])
    """

    depth = 1

    def __init__(
        self,
        in_channels: int,
        widths: Sequence[int] = (256, 128),
        drop: float = 0.0,
        input_drop: float = 0.0,
        has_special_tokens: bool = False,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels, self.has_special_tokens = in_channels, has_special_tokens
        self.gives_summary = has_special_tokens
        self.stack = LinearStack(in_channels, widths, drop, input_drop)
        self.embed_dims = self.stack.out_channels

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`."""
        values, padding = read_features(x, self.in_channels, mask, self.stream)
        tokens = self.stack(values)
        if not self.has_special_tokens:
            return EncoderOutput(tokens, (tokens,), padding)
        summary, tokens = tokens[:, :1], tokens[:, 1:]
        steps = torch.arange(tokens.shape[1], device=tokens.device)
        lengths = x.lengths if isinstance(x, Padded) else torch.full_like(steps[:1], values.shape[1])
        padding = (steps >= lengths.unsqueeze(1) - 2).expand(len(tokens), -1)  # (B, T - 1)
        return EncoderOutput(tokens, (tokens,), padding, summary)

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """See :meth:`BaseEncoder.example_input`; a sequence has 50 vectors."""
        steps = (EXAMPLE_STEPS,) if self.has_special_tokens else ()
        return torch.randn(batch_size, *steps, self.in_channels, generator=generator)

    def layer_id(self, name: str) -> int | None:  # noqa: ARG002 (of the contract)
        """See :meth:`BaseEncoder.layer_id`."""
        return 1


@MODELS.register_module()
class FeatureLSTMEncoder(BaseEncoder):
    """Applies one LSTM to a sequence of feature vectors (MERTools for features of frames; EMT-DLFR).

    The states are the tokens, and the state of the last real vector is the summary. Padding changes neither. (MERTools
    puts zeros in front of short sequences and runs over them.)

    Args:
        in_channels: Length of the feature vectors.
        hidden_dims: Width of the LSTM.
        out_channels: Width of a linear layer over states and summary; ``None`` means there is no such layer.
        drop: Probability of dropping an element of the states.
        init_cfg: MMEngine initialisation config.

    Example:
        >>> encoder = FeatureLSTMEncoder(in_channels=5, hidden_dims=8)
        >>> output = encoder(Padded.stack([torch.zeros(3, 5), torch.zeros(2, 5)]))
        >>> output.tokens.shape, output.summary.shape
        (torch.Size([2, 3, 8]), torch.Size([2, 1, 8]))
    """

    depth = 1

    def __init__(
        self,
        in_channels: int,
        hidden_dims: int = 128,
        out_channels: int | None = None,
        drop: float = 0.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.in_channels = in_channels
        self.embed_dims = hidden_dims if out_channels is None else out_channels
        self.rnn = nn.LSTM(in_channels, hidden_dims, batch_first=True)
        self.drop = nn.Dropout(drop)
        self.proj = nn.Identity() if out_channels is None else nn.Linear(hidden_dims, out_channels)

    def forward(self, x: Stream, mask: Tensor | TokenMask | None = None) -> EncoderOutput:
        """See :meth:`BaseEncoder.forward`."""
        values, padding = read_features(x, self.in_channels, mask, self.stream)
        states = self.rnn(values)[0]  # padding is behind, so that no real state knows of it
        last = states[:, -1]
        if isinstance(x, Padded):
            states = states.masked_fill(x.padding.unsqueeze(-1), 0)
            last = states[torch.arange(len(states), device=states.device), x.lengths.clamp(min=1) - 1]
        tokens = self.proj(self.drop(states))
        return EncoderOutput(tokens, (tokens,), padding, self.proj(self.drop(last)).unsqueeze(1))

    def example_input(self, batch_size: int, generator: torch.Generator | None = None) -> Stream:
        """See :meth:`BaseEncoder.example_input`; a sequence has 50 vectors."""
        return torch.randn(batch_size, EXAMPLE_STEPS, self.in_channels, generator=generator)

    def layer_id(self, name: str) -> int | None:  # noqa: ARG002 (of the contract)
        """See :meth:`BaseEncoder.layer_id`."""
        return 1


def read_features(
    x: Stream, in_channels: int, mask: Tensor | TokenMask | None, stream: str | None = None
) -> tuple[Tensor, Tensor | None]:
    """Returns ``(B, T, in_channels)`` and the padding ``(B, T)``; a vector per clip becomes a sequence of one.

    Args:
        x: ``(B, in_channels)``, ``(B, T, in_channels)``, spectrograms ``(B, 1, T, in_channels)`` or sequences of
            different lengths.
        in_channels: Length of the vectors.
        mask: Must be None: these encoders take no mask.
        stream: Name of the stream, for messages.

    Raises:
        ValueError: If there is a mask, or the input has another shape.
    """
    if mask is not None:
        raise ValueError('encoders of features take no mask')
    values, padding = (x.values, x.padding) if isinstance(x, Padded) else (x, None)
    if padding is None and values.ndim == 2:
        values = values.unsqueeze(1)
    elif padding is None and values.ndim == 4 and values.shape[1] == 1:  # a spectrogram
        values = values.squeeze(1)
    if values.ndim != 3 or values.shape[-1] != in_channels:
        name, option = (
            ('', 'in_channels') if stream is None else (f'{stream}: ', f'model.encoders.{stream}.in_channels')
        )
        raise ValueError(
            f'{name}expected features (B, {in_channels}) or (B, T, {in_channels}), got {tuple(x.shape)}; set {option} '
            'to the length of the extracted features'
        )
    return values, padding
