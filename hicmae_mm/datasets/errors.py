"""The one error that means: this file is bad, not this program."""

from __future__ import annotations


class MediaError(ValueError):
    """A media file is broken, incomplete, or lacks what was asked of it.

    Data sets with ``on_error='skip'`` skip samples on this error and on ``FileNotFoundError``, and on nothing else.
    """
