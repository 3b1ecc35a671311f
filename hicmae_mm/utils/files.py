"""Files that are at every moment either whole or as they were before, and folders that only one process writes to."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
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


@contextlib.contextmanager
def exclusive(lock_file: Path, patience_seconds: float = 30.0) -> Iterator[int]:
    """Holds a lock as long as this process, or one that inherits the file descriptor, lives.

    Args:
        lock_file: Made if need be, and left behind.
        patience_seconds: How long to wait for another holder to go.

    Yields:
        The file descriptor of the lock.

    Raises:
        RuntimeError: Another process keeps holding the lock.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    patience_ends = time.monotonic() + patience_seconds
    with lock_file.open('w') as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > patience_ends:
                    raise RuntimeError(
                        f'another process holds {lock_file}: wait until it has finished, or end it'
                    ) from None
                time.sleep(0.1)
        yield file.fileno()
