"""Writing files that are at every moment either whole or as they were before."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Gives a name to write to beside ``path``, and moves the file to ``path`` once it is complete and on the disk.

    A process that dies leaves ``path`` as it was, and a ``.partial`` file that the next one overwrites.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    try:
        yield partial
        with partial.open('rb+') as file:
            os.fsync(file.fileno())  # else a power cut may keep the new name and lose the content
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Writes a text file (UTF-8) whole or not at all."""
    with replaced_file(path) as partial:
        partial.write_text(text, encoding='utf-8')
