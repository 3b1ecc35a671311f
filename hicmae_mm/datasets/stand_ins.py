"""Recognizes small text files that take the place of media files: pointers of Git LFS, and pages of a web server."""

from __future__ import annotations

from pathlib import Path

from hicmae_mm.utils.files import LFS_POINTER

HEAD_BYTES = 512
_PAGES = (b'<!doctype html', b'<html', b'<?xml', b'<head', b'<body')
_FETCH_POINTERS = "a Git LFS pointer, not the media; install git-lfs and run 'git lfs pull' in the clone of the corpus"
_FETCH_PAGES = 'a web page that was saved in place of the media (a login or error page); download the file again'


def stand_in(head: bytes) -> str | None:
    """Describes a text file that takes the place of a media file, and how to get the media.

    Args:
        head: The first bytes of the file.

    Returns:
        Text for an error message; None if the file is neither a pointer nor a page.
    """
    text = head.removeprefix(b'\xef\xbb\xbf').lstrip().lower()
    if text.startswith(LFS_POINTER):
        return _FETCH_POINTERS
    return _FETCH_PAGES if text.startswith(_PAGES) else None


def describe_stand_in(path: str | Path) -> str | None:
    """Calls :func:`stand_in` for the file at ``path``; returns None if there is no such file."""
    try:
        with open(path, 'rb') as file:  # noqa: PTH123 (pathlib would remember a part of every name)
            return stand_in(file.read(HEAD_BYTES))
    except OSError:
        return None
