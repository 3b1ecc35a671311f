"""Marks a sample that could not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SkippedSample:
    """Marks a sample that training leaves out because its media could not be read (``on_error='skip'``).

    Attributes:
        sample_id: Name of the sample in its annotation file.
        reason: Message of the error, which names the file.
    """

    sample_id: str
    reason: str
