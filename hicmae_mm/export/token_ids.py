"""Gives texts of different lengths to exported models: token ids of one length, and how many of them are real."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.structures import Padded, Stream


def lengths_name(stream: str) -> str:
    """Returns the name of the input that has the number of tokens of each text."""
    return f'{stream}_lengths'


def longest_texts(steps: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Finds the largest number of tokens that a pipeline makes.

    Args:
        steps: Configs of the pipeline's steps.

    Returns:
        ``max_length`` of ``Tokenize`` by stream, where it is set.
    """
    texts = (step for step in steps if str(step.get('type')).rpartition('.')[2] == 'Tokenize')
    return {step.get('stream', 'text'): int(step['max_length']) for step in texts if step.get('max_length')}


def split_lengths(stream: str, value: Stream, num_tokens: int, lengths: Tensor | None = None) -> dict[str, Tensor]:
    """Makes the two inputs of a stream of token ids.

    Args:
        stream: Name of the stream.
        value: Token ids ``(B, T)`` of integers, or ``Padded`` of them.
        num_tokens: Number N of tokens that the model takes. It is at least T.
        lengths: Number of tokens of each row, ``(B,)``, if ``value`` is a tensor with texts of different lengths.

    Returns:
        The ids ``(B, N)`` int64 and the lengths ``(B,)`` int64, by name of the input.

    Raises:
        ValueError: If the shape is wrong, or a text has more than N tokens.
        TypeError: If the ids are not integers.
    """
    ids, lengths = (value.values, value.lengths) if isinstance(value, Padded) else (torch.as_tensor(value), lengths)
    if ids.is_floating_point():
        raise TypeError(f'{stream} must be token ids of Tokenize, which are integers, got {ids.dtype}')
    if ids.ndim != 2 or not ids.shape[0]:
        raise ValueError(f'{stream} must be token ids (B, T) with B at least 1, got {tuple(ids.shape)}')
    if lengths is None:
        lengths = ids.new_full(ids.shape[:1], ids.shape[1])
    if int(lengths.max()) > num_tokens:
        raise ValueError(
            f'a text of the stream {stream!r} has {int(lengths.max())} tokens, and the exported model takes '
            f'{num_tokens}; set max_length of Tokenize to the longest and export again'
        )
    ids = F.pad(ids[:, :num_tokens], (0, num_tokens - min(ids.shape[1], num_tokens)))
    return {stream: ids.long(), lengths_name(stream): lengths.long()}


def join_lengths(stream: str, inputs: Mapping[str, Stream]) -> Stream:
    """Undoes :func:`split_lengths`. A stream without lengths among the inputs is returned as it is."""
    value, lengths = inputs[stream], inputs.get(lengths_name(stream))
    if isinstance(value, Tensor) and isinstance(lengths, Tensor):
        return Padded(value, lengths)
    return value


def rows_of(views: Mapping[str, Stream], rows: Tensor) -> dict[str, Stream]:
    """Picks rows of every stream."""
    return {name: value.index_select(0, rows.to(value.device)) for name, value in views.items()}
