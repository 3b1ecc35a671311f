"""Defines the error which means that a media file is bad, and not the program."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MediaError(ValueError):
    """Reports a media file that is broken or incomplete, or lacks a requested stream.

    Data sets with ``on_error='skip'`` skip samples on this error and on ``FileNotFoundError`` only.
    """


@contextmanager
def decoder_errors(message: str) -> Iterator[None]:
    """Turns every error of a decoder into a :class:`MediaError`.

    Decoders raise errors of many classes for a bad file: their own, ``OSError``, ``ValueError``, ``AttributeError`` for
    an unknown codec, ``OverflowError`` and ``MemoryError`` for a forged header. None of them names the file.

    Args:
        message: Text that names the file and the failed step. The message of the decoder is appended.

    Raises:
        MediaError: If the block raises any other error than ``FileNotFoundError``.
    """
    try:
        yield
    except (MediaError, FileNotFoundError):
        raise
    except Exception as error:
        raise MediaError(f'{message}: {words_of(error)}') from error


def words_of(error: Exception) -> str:
    """Returns the last line of an error message, without the file name that FFmpeg repeats in it."""
    text = getattr(error, 'strerror', None) or str(error)
    lines = str(text).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
