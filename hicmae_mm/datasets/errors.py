"""The one error that means: this file is bad, not this program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MediaError(ValueError):
    """A media file is broken, incomplete, or lacks what was asked of it.

    Data sets with ``on_error='skip'`` skip samples on this error and on ``FileNotFoundError``, and on nothing else.
    """


@contextmanager
def decoder_errors(message: str) -> Iterator[None]:
    """Turns whatever a decoder raises into a :class:`MediaError`.

    Decoders raise errors of many classes for a bad file: their own, ``OSError``, ``ValueError``, ``AttributeError`` for
    an unknown codec, ``OverflowError`` and ``MemoryError`` for a forged header. None of them says which file it was.

    Args:
        message: Names the file and what was tried. The decoder's own words are appended.
    """
    try:
        yield
    except (MediaError, FileNotFoundError):
        raise
    except Exception as error:
        raise MediaError(f'{message}: {words_of(error)}') from error


def words_of(error: Exception) -> str:
    """The last line of an error, without the file name that FFmpeg repeats in it."""
    text = getattr(error, 'strerror', None) or str(error)
    lines = str(text).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
