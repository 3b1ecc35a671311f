"""Store uploads in a private folder of this process, and delete each upload when nobody needs it any more."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from hicmae_mm.utils.files import exclusive

_PREFIX = 'hicmae_web_'
_LOCK = '.lock'
_LONGEST_NAME = 200  # bytes; file systems allow 255
_ENVIRONMENT = {
    'GRADIO_ANALYTICS_ENABLED': 'False',
    'HF_HUB_DISABLE_TELEMETRY': '1',
    'GRADIO_SSR_MODE': 'False',
    'GRADIO_ANALYTICS_MAX_EVENTS': '1',  # by default Gradio stores 10,000 events
    'GRADIO_ANALYTICS_CACHE_FREQUENCY': str(10**9),  # by default it computes their statistics after each event
}


@contextlib.contextmanager
def upload_folder() -> Iterator[Path]:
    """Creates a private folder for uploads, and removes it at the end.

    Gradio gets the folder by an environment variable, so this context must be entered before Gradio is imported.
    Folders of servers that were killed are removed, too.

    Yields:
        The folder.
    """
    _remove_leftovers(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # only this user can read it
    changed = {**_ENVIRONMENT, 'GRADIO_TEMP_DIR': str(folder)}
    before = {name: os.environ.get(name) for name in changed}
    os.environ.update(changed)
    try:
        with exclusive(folder / _LOCK):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _remove_leftovers(parent: Path) -> None:
    """Removes folders of servers that have ended, which therefore do not lock their folder any more."""
    for lock in parent.glob(f'{_PREFIX}*/{_LOCK}'):
        # OSError: the folder belongs to another user; RuntimeError: its server is running
        with contextlib.suppress(OSError, RuntimeError), exclusive(lock, patience_seconds=0):
            shutil.rmtree(lock.parent, ignore_errors=True)


class Uploads:
    """Stores files of visitors, and deletes each file when nobody needs it any more.

    Every upload has its own folder with a name that nobody can guess.

    Args:
        folder: Folder of all uploads. Nothing outside of it is read or deleted.
        max_bytes: Largest size of all uploads together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self.folder, self.max_bytes = folder.resolve(), max_bytes
        self._owners: dict[Path, str | None] = {}
        self._lock = threading.Lock()

    def is_place(self, path: str | Path) -> bool:
        """Checks whether a path has the form of an upload's path.

        Args:
            path: The path.

        Returns:
            Whether an upload can have this path. The file itself may be deleted already.
        """
        place = Path(path)
        return place.parent.parent == self.folder and place.resolve() == place

    def has_room(self, num_bytes: int) -> bool:
        """Checks whether another upload fits into the limit.

        Args:
            num_bytes: Size of the upload.

        Returns:
            Whether it fits.
        """
        used = 0
        for path in self._files():
            with contextlib.suppress(FileNotFoundError):
                used += path.stat().st_size
        return used + num_bytes <= self.max_bytes

    @contextlib.contextmanager
    def incoming(self) -> Iterator[Path]:
        """Creates a folder for a file that is arriving.

        The folder is deleted at the end, with all files that were not accepted.

        Yields:
            The folder.
        """
        folder = Path(tempfile.mkdtemp(prefix='incoming_', dir=self.folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def accept(self, arrived: Path, name: str) -> Path:
        """Stores a file that has arrived as an upload.

        Args:
            arrived: The file, which is moved.
            name: Name of the file at its sender.

        Returns:
            The new path of the file.
        """
        path = self.folder / secrets.token_hex(16) / _plain_name(name)
        path.parent.mkdir(mode=0o700)
        arrived.replace(path)
        with self._lock:
            self._owners[path] = None
        return path

    def claim(self, path: str | Path, session: str) -> Path:
        """Registers that a visitor needs a file.

        Args:
            path: The file.
            session: Session of the visitor.

        Returns:
            The path.

        Raises:
            ValueError: If the file is not an upload, was deleted, or belongs to another visitor.
        """
        place = Path(path)
        with self._lock:
            if place not in self._owners or self._owners[place] not in (None, session) or not place.is_file():
                raise ValueError(f'{path} is not an upload of this visitor')
            self._owners[place] = session
        return place

    def remove(self, path: Path) -> None:
        """Deletes an upload.

        Args:
            path: The file. Files that are not uploads stay.
        """
        with self._lock:
            if path in self._owners:
                self._delete(path)

    def leave(self, session: str) -> None:
        """Deletes all uploads of a visitor.

        Args:
            session: Session of the visitor.
        """
        with self._lock:
            for path in [path for path, owner in self._owners.items() if owner == session]:
                self._delete(path)

    def sweep(self, unclaimed_seconds: float = 120.0, claimed_seconds: float = 3600.0) -> None:
        """Deletes old files whose visitors have not started an analysis or have not come back.

        Args:
            unclaimed_seconds: Largest age of files that no visitor has claimed, counted from their last change.
            claimed_seconds: Largest age of files that wait for an analysis.
        """
        now = time.time()
        with self._lock:
            for path in self._files():
                with contextlib.suppress(FileNotFoundError):  # the file was moved or deleted at this moment
                    keep = unclaimed_seconds if self._owners.get(path) is None else claimed_seconds
                    if now - path.stat().st_mtime > keep:
                        self._delete(path)

    def _files(self) -> list[Path]:
        return [path for path in self.folder.rglob('*') if path.is_file() and path.name != _LOCK]

    def _delete(self, path: Path) -> None:
        self._owners.pop(path, None)
        path.unlink(missing_ok=True)
        if path.parent != self.folder:
            with contextlib.suppress(OSError):  # the folder still receives another file
                path.parent.rmdir()


def _plain_name(name: str) -> str:
    """Keeps the last part of a file name, without characters that are special for file systems or terminals."""
    last = re.split(r'[/\\]', name)[-1]
    plain = ''.join(letter for letter in last if letter.isprintable() and letter not in '<>:"|?*').strip(' .')
    while len(plain.encode()) > _LONGEST_NAME:  # shortens the start, because the end shows the file type
        plain = plain[1:]
    return plain or 'recording'
