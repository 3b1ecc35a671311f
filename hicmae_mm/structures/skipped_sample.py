"""What stands in a batch for a sample that could not be read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SkippedSample:
    """A sample left out of training because its media could not be read (``on_error='skip'``).

    Attributes:
        sample_id: Name of the sample in its annotation file.
        reason: The error's text, which names the file.
    """

    sample_id: str
    reason: str
