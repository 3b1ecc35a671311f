"""Sequences of different lengths in one tensor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Padded:
    """Holds a batch of sequences that share a tensor. What lies behind the end of a sequence counts as nothing.

    Attributes:
        values: ``(B, T, ...)``; T is the length of the longest sequence or more.
        lengths: ``(B,)`` int64, at most T. 0 means that the row has nothing.

    Example:
        >>> words = Padded.stack([torch.tensor([7, 3]), torch.tensor([5])])
        >>> words.values
        tensor([[7, 3],
                [5, 0]])
        >>> words.padding
        tensor([[False, False],
                [False,  True]])
    """

    values: Tensor
    lengths: Tensor

    def __post_init__(self) -> None:
        if self.values.ndim < 2 or self.lengths.shape != self.values.shape[:1]:
            raise ValueError(
                f'expected values (B, T, ...) and lengths (B,), got {tuple(self.values.shape)} and '
                f'{tuple(self.lengths.shape)}'
            )

    @classmethod
    def stack(cls, sequences: Sequence[Tensor]) -> Padded:
        """Joins sequences ``(T_i, ...)``, which may differ in T_i only; what is padded is 0.

        Raises:
            ValueError: If there is no sequence, or they differ in more than their lengths.
        """
        if not sequences:
            raise ValueError('Padded.stack needs at least one sequence')
        shapes = {tuple(sequence.shape[1:]) for sequence in sequences}
        if len(shapes) > 1:
            raise ValueError(f'sequences may differ in length only, got entries of the shapes {sorted(shapes)}')
        lengths = torch.tensor([len(sequence) for sequence in sequences])
        values = sequences[0].new_zeros(len(sequences), max(map(len, sequences)), *sequences[0].shape[1:])
        for row, sequence in zip(values, sequences):
            row[: len(sequence)] = sequence
        return cls(values, lengths)

    @classmethod
    def cat(cls, batches: Sequence[Padded]) -> Padded:
        """Joins batches one after the other, padded to the longest."""
        longest = max(batch.values.shape[1] for batch in batches)
        first = batches[0].values
        values = first.new_zeros(sum(len(batch) for batch in batches), longest, *first.shape[2:])
        row = 0
        for batch in batches:
            values[row : row + len(batch), : batch.values.shape[1]] = batch.values
            row += len(batch)
        return cls(values, torch.cat([batch.lengths for batch in batches]))

    def __len__(self) -> int:
        return len(self.values)

    @property
    def padding(self) -> Tensor:
        """Returns ``(B, T)`` bool, True = padding."""
        positions = torch.arange(self.values.shape[1], device=self.values.device)
        return positions >= self.lengths.unsqueeze(1)

    @property
    def shape(self) -> torch.Size:
        """Returns the shape of the values."""
        return self.values.shape

    @property
    def device(self) -> torch.device:
        """Returns the device of the values."""
        return self.values.device

    @property
    def dtype(self) -> torch.dtype:
        """Returns the type of the values."""
        return self.values.dtype

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Padded:
        """Moves values and lengths."""
        return Padded(
            self.values.to(device, non_blocking=non_blocking), self.lengths.to(device, non_blocking=non_blocking)
        )

    def index_select(self, dim: int, rows: Tensor) -> Padded:
        """Picks rows, as :meth:`torch.Tensor.index_select` does along dimension 0."""
        if dim != 0:
            raise ValueError(f'Padded picks rows, along dimension 0, got dim={dim}')
        return Padded(self.values.index_select(0, rows), self.lengths.index_select(0, rows))


Stream = Tensor | Padded
Inputs = Mapping[str, Stream]
