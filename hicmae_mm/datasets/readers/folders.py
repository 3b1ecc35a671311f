"""Searches folders, and ignores the files that operating systems and servers leave in them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from hicmae_mm.datasets.errors import MediaError

IMAGE_SUFFIXES = frozenset({'.jpg', '.jpeg', '.png', '.bmp', '.webp'})
_LEFTOVERS = frozenset(
    {
        'thumbs.db',  # Windows
        'ehthumbs.db',
        'desktop.ini',
        '$recycle.bin',
        'system volume information',
        '__macosx',  # zip archives made on a Mac
        'icon\r',
        '@eadir',  # network drives
        '#recycle',
        'lost+found',
    }
)
_NUMBERS = re.compile(r'([0-9]+)')
_KINDS = {stat.S_IFDIR: 'a folder', stat.S_IFIFO: 'a pipe', stat.S_IFSOCK: 'a socket'}


def is_leftover(name: str) -> bool:
    """Tells whether a name is that of a hidden file or of a file of the operating system, such as ``Thumbs.db``."""
    return name.startswith('.') or name.lower() in _LEFTOVERS


def walk(root: Path, skipped: Path | None = None) -> Iterator[tuple[Path, list[str]]]:
    """Yields every folder at or below ``root`` with the sorted names of its files, without leftovers.

    Links are followed. Every real folder comes only once, so circular links do no harm.

    Args:
        root: Folder to search.
        skipped: Folder that is not searched.
    """
    seen = set() if skipped is None else {skipped.resolve()}
    for folder, folders, names in os.walk(root, followlinks=True):
        real = Path(folder).resolve()
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not is_leftover(name))
        yield Path(folder), sorted(name for name in names if not is_leftover(name))


def visible_names(folder: str | Path) -> Iterator[str]:
    """Yields the names in a folder, without leftovers."""
    with os.scandir(folder) as entries:
        yield from (entry.name for entry in entries if not is_leftover(entry.name))


def picture_files(folder: Path) -> list[Path]:
    """Lists the pictures in a folder, in the numeric order of their names: ``2.jpg`` before ``10.jpg``.

    Raises:
        MediaError: If a folder, a pipe or the like has the name of a picture.
    """
    names = []
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name
            if name[0] == '.' or name[max(name.rfind('.'), 0) :].lower() not in IMAGE_SUFFIXES:
                continue  # other leftovers have no ending of a picture
            if not _is_file(entry):
                kind = _kind(entry.path)
                raise MediaError(
                    f'{entry.path}: {kind} with the name of a picture; remove it, or prepare the clip again'
                )
            names.append(name)
    return [folder / name for name in sorted(names, key=numeric_order)]


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link to itself
        return False


def _kind(path: str) -> str:
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116 (called for names that may be anything)
    except OSError:
        return 'a link that leads nowhere'
    return _KINDS.get(stat.S_IFMT(mode), 'a device')


def numeric_order(name: str) -> tuple[list[tuple[int, str]], str]:
    """Makes a sort key that compares runs of digits as numbers, and equal numbers (``1.jpg``, ``01.jpg``) as text."""
    stem = name[: name.rindex('.')]
    if stem.isascii() and stem.isdigit():  # nearly all names; the same result as below in a third of the time
        return [(-1, ''), (int(stem), ''), (-1, '')], name
    parts = _NUMBERS.split(stem)
    return [(int(part), '') if index % 2 else (-1, part) for index, part in enumerate(parts)], name
