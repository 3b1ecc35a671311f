"""Do two lists share speakers?"""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass

_SHOWN = 10


@dataclass(frozen=True)
class SpeakerOverlap:
    """Speakers of two lists.

    Attributes:
        first: Speakers of one list.
        second: Speakers of the other list.
        unknown: Clips of both lists whose speaker is not known.
    """

    first: Set[str]
    second: Set[str]
    unknown: int

    @property
    def shared(self) -> list[str]:
        """Speakers of both lists, sorted."""
        return sorted(self.first & self.second)

    def describe(self) -> str:
        """Describes the result in one line."""
        if not self.first or not self.second:
            return 'speakers are not known'
        text = f'{len(self.first)}/{len(self.second)} speakers, '
        if self.shared:
            names = ', '.join(self.shared[:_SHOWN]) + (', ...' if len(self.shared) > _SHOWN else '')
            text += f'{len(self.shared)} IN BOTH ({names}): scores are not speaker-independent'
        else:
            text += 'none in both'
        return text + (f'; of {self.unknown} clips the speaker is not known' if self.unknown else '')


def compare_speakers(first: Iterable[str | None], second: Iterable[str | None]) -> SpeakerOverlap:
    """Compares the speakers of two lists, one entry per clip; None means not known."""
    both = list(first), list(second)
    unknown = sum(name is None for names in both for name in names)
    known = [frozenset(name for name in names if name is not None) for names in both]
    return SpeakerOverlap(known[0], known[1], unknown)
