"""Tells which clips of a batch have a stream, as indices."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from hicmae_mm.structures.padded import Stream


@dataclass(frozen=True)
class Presence:
    """Stores the rows of a batch that have a stream, so that no module must search a mask (and synchronise a GPU).

    Attributes:
        rows: ``(K,)`` int64, ascending; K is known on the host, 0 means that the stream is missing altogether.
        num_rows: B, rows of the batch.
    """

    rows: Tensor
    num_rows: int

    @classmethod
    def from_bool(cls, present: Tensor, name: str = 'present') -> Presence:
        """Finds the rows; do this on the CPU, before the mask travels.

        Args:
            present: ``(B,)`` bool, True = the clip has the stream.
            name: Named in errors, usually the stream.

        Raises:
            ValueError: If it is not a 1-d boolean tensor.
        """
        if present.ndim != 1 or present.dtype != torch.bool:
            raise ValueError(f'{name}: expected a boolean tensor (B,), got {present.dtype} {tuple(present.shape)}')
        return cls(present.nonzero().flatten(), len(present))

    @classmethod
    def nowhere(cls, num_rows: int, device: torch.device) -> Presence:
        """Returns a stream that no row of a batch has."""
        return cls(torch.zeros(0, dtype=torch.long, device=device), num_rows)

    @property
    def is_missing(self) -> bool:
        """Returns whether no row has the stream."""
        return len(self.rows) == 0

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Presence:
        """Moves the indices."""
        return Presence(self.rows.to(device, non_blocking=non_blocking), self.num_rows)

    def select(self, x: Stream) -> Stream:
        """Returns the rows that are there: ``(B, ...) -> (K, ...)``."""
        return x.index_select(0, self.rows)

    def spread(self, x: Tensor) -> Tensor:
        """Puts rows back, with zeros between: ``(K, ...) -> (B, ...)``."""
        return x.new_zeros(self.num_rows, *x.shape[1:]).index_copy(0, self.rows, x)

    def padding(self, num_tokens: int) -> Tensor:
        """Returns ``(B, num_tokens)`` bool, True = padding: every token of a clip without the stream."""
        padding = torch.ones(self.num_rows, num_tokens, dtype=torch.bool, device=self.rows.device)
        return padding.index_fill_(0, self.rows, False)


def as_presence(present: Tensor | Presence, name: str = 'present') -> Presence:
    """Accepts what users pass: a boolean tensor or the indexed form."""
    return Presence.from_bool(present, name) if isinstance(present, Tensor) else present
