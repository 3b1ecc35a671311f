"""Where uploads lie, and when they go: a folder of this process alone, files counted by who still needs them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

_PREFIX = 'hicmae_web_'
_LOCK = '.lock'
_NO_OUTSIDE_CALLS = {
    'GRADIO_ANALYTICS_ENABLED': 'False',
    'HF_HUB_DISABLE_TELEMETRY': '1',
    'GRADIO_SSR_MODE': 'False',
}


@contextlib.contextmanager
def upload_folder() -> Iterator[Path]:
    """A private folder for uploads, told to Gradio by its environment variable, and removed at the end.

    To be entered before Gradio is imported. Folders that a killed server has left behind are removed, too.
    """
    _remove_leftovers(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))  # readable by this user alone
    changed = {**_NO_OUTSIDE_CALLS, 'GRADIO_TEMP_DIR': str(folder)}
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

    Gradio names uploads by their content, so equal files of two visitors are one file.

    Args:
        folder: Where uploads lie; nothing outside of it is ever read or deleted.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._users: dict[Path, set[str]] = defaultdict(set)
        self._lock = threading.Lock()

    def claim(self, path: str | Path, session: str) -> Path:
        """Notes that a visitor needs a file.

        Raises:
            ValueError: If it does not lie in the folder.
        """
        resolved = Path(path).resolve()
        if self.folder not in resolved.parents:
            raise ValueError(f'{path} is no upload')
        with self._lock:
            self._users[resolved].add(session)
        return resolved

    def leave(self, session: str) -> None:
        """Deletes what this visitor alone has needed."""
        with self._lock:
            mine = [path for path, users in self._users.items() if session in users]
            for path in mine:
                self._users[path].discard(session)
                if not self._users[path]:
                    del self._users[path]
                    self._delete(path)

    def sweep(self, unclaimed_seconds: float = 120.0, claimed_seconds: float = 3600.0) -> None:
        """Deletes what was left behind: uploads that broke off, and those of visitors who never came back.

        Args:
            unclaimed_seconds: Age, since the last byte, of files that nobody has claimed.
            claimed_seconds: The same of files that wait for an analysis.
        """
        now = time.time()
        with self._lock:
            for path in [path for path in self.folder.rglob('*') if path.is_file() and path.name != _LOCK]:
                with contextlib.suppress(FileNotFoundError):  # moved by Gradio meanwhile
                    keep = claimed_seconds if path in self._users else unclaimed_seconds
                    if now - path.stat().st_mtime > keep:
                        self._users.pop(path, None)
                        self._delete(path)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if parent == self.folder:
                break
            with contextlib.suppress(OSError):  # another upload lies there
                parent.rmdir()
