"""Where uploads lie, and when they go: a folder of this process alone, and who still needs each file."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

_PREFIX = 'hicmae_web_'
_LOCK = '.lock'
_LONGEST_NAME = 200  # bytes; file systems take 255
_ENVIRONMENT = {
    'GRADIO_ANALYTICS_ENABLED': 'False',
    'HF_HUB_DISABLE_TELEMETRY': '1',
    'GRADIO_SSR_MODE': 'False',
    'GRADIO_ANALYTICS_MAX_EVENTS': '1',  # it keeps 10,000 otherwise
    'GRADIO_ANALYTICS_CACHE_FREQUENCY': str(10**9),  # and computes their statistics after each
}


@contextlib.contextmanager
def upload_folder() -> Iterator[Path]:
    """A private folder for uploads, told to Gradio by its environment variable, and removed at the end.

    To be entered before Gradio is imported. Folders that a killed server has left behind are removed, too.
    """
    _remove_leftovers(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # readable by this user alone
    changed = {**_ENVIRONMENT, 'GRADIO_TEMP_DIR': str(folder)}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        with (folder / _LOCK).open('w') as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _remove_leftovers(parent: Path) -> None:
    """Removes folders whose server does not hold its lock any more."""
    for folder in parent.glob(f'{_PREFIX}*'):
        with contextlib.suppress(OSError), (folder / _LOCK).open('r+') as lock:  # none: of another user, or just begun
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)


class Uploads:
    """Files of visitors, each deleted as soon as nobody needs it.

    Every upload lies in a folder of its own, whose name cannot be guessed.

    Args:
        folder: Where uploads lie; nothing outside of it is ever read or deleted.
        max_bytes: Size that all uploads together may have.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder.resolve(), max_bytes
        self._owners: dict[Path, str | None] = {}
        self._lock = threading.Lock()

    def is_place(self, path: str | Path) -> bool:
        """Whether an upload could lie there; it may be gone."""
        place = Path(path)
        return place.parent.parent == self.folder and place.resolve() == place

    def has_room(self, num_bytes: int) -> bool:
        """Whether a further upload of some size fits in."""
        used = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                used += path.stat().st_size
        return used + num_bytes <= self.max_bytes

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """A folder for a file that is arriving. It goes at the end, with all that was not accepted."""
        folder = Path(tempfile.mkdtemp(prefix='incoming_', dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def accept(self, arrived: Path, name: str) -> Path:
        """Makes a file that has arrived an upload.

        Args:
            arrived: The file; it is moved.
            name: What its sender calls it.
        """
        path = self.folder / secrets.token_hex(16) / _plain_name(name)
        path.parent.mkdir(mode=0o700)
        arrived.replace(path)
        with self._lock:
            self._owners[path] = None
        return path

    def claim(self, path: str | Path, session: str) -> Path:
        """Notes that a visitor needs a file.

        Raises:
            ValueError: If it is no upload, is gone, or belongs to somebody else.
        """
        place = Path(path)
        with self._lock:
            if place not in self._owners or self._owners[place] not in (None, session) or not place.is_file():
                raise ValueError(f'{path} is no upload of this visitor')
            self._owners[place] = session
        return place

    def remove(self, path: Path) -> None:
        """Deletes an upload."""
        with self._lock:
            if path in self._owners:
                self._delete(path)

    def leave(self, session: str) -> None:
        """Deletes the uploads of a visitor."""
        with self._lock:
            for path in [path for path, owner in self._owners.items() if owner == session]:
                self._delete(path)

    def sweep(self, unclaimed_seconds: float = 120.0, claimed_seconds: float = 3600.0) -> None:
        """Deletes what was left behind: files of visitors who never asked for an analysis, or never came back.

        Args:
            unclaimed_seconds: Age, since the last byte, of files that nobody has claimed.
            claimed_seconds: The same of files that wait for an analysis.
        """
        now = time.time()
        with self._lock:
            for path in self._files():
                with contextlib.suppress(FileNotFoundError):  # it has just become an upload
                    keep = unclaimed_seconds if self._owners.get(path) is None else claimed_seconds
                    if now - path.stat().st_mtime > keep:
                        self._delete(path)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob('*') if path.is_file() and path.name != _LOCK]

    def _delete(self, path: Path) -> None:
        self._owners.pop(path, None)
        path.unlink(missing_ok=True)
        if path.parent != self.folder:
            with contextlib.suppress(OSError):  # another file is arriving there
                path.parent.rmdir()


def _plain_name(name: str) -> str:
    """The last part of a file's name, without what file systems or terminals take for something else."""
    last = re.split(r'[/\\]', name)[-1]
    plain = ''.join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(' .')
    while len(plain.encode()) > _LONGEST_NAME:  # the end tells the kind
        plain = plain[1:]
    return plain or 'recording'
