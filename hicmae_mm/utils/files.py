"""Files that are at all times whole or as they were before, folders that one process writes to, and texts of files."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import json
import os
import re
import secrets
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

LFS_POINTER = b'version https://git-lfs.github.com/spec/'
"""Start of the text that a clone without Git LFS has in place of a large file."""
_PARTIAL = re.compile(r'\.(?P<pid>\d+)-[0-9a-f]{16}\.partial')
_LONGEST_NAME_BYTES = 255
_NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP)  # a network disk without locks
_SHARE_OF_TIME = 0.01  # that looking for leftovers may take
_next_look: dict[Path, float] = {}  # folder -> time of the monotonic clock
_in_progress: set[Path] = set()


@contextlib.contextmanager
def replaced_file(path: Path) -> Iterator[Path]:
    """Gives a name to write to beside ``path``, and moves the file to ``path`` once it is complete and on the disk.

    The name cannot be guessed, and the file is new: nobody can make it a link to something else. A process that dies
    leaves ``path`` as it was, and a ``.partial`` file that the next process clears. Where ``path`` is a link, the file
    that it points to is replaced, and the link stays. A device, a pipe or an open file (``/dev/stdout``) is never
    replaced: the complete content is appended to it.

    Raises:
        OSError: If the file cannot be written. It names ``path``.
    """
    with _naming(path):
        if _is_stream(path):
            target = None
        else:
            target = Path(os.path.realpath(path)) if path.is_symlink() else path
            _check_replaceable(target)
        folder = Path(tempfile.gettempdir()) if target is None else target.parent
        _remove_leftovers(folder)
        partial, descriptor = _new_file(folder, path.name)
    try:
        with _naming(path, partial):
            try:
                yield partial
            except Exception as error:
                if not isinstance(error, OSError):
                    check_can_grow(partial)
                raise
            with partial.open('rb+') as file:
                os.fsync(file.fileno())  # else a power cut may keep the new name and lose the content
            if target is None:
                _append(partial, path)
            else:
                partial.replace(target)
    finally:
        os.close(descriptor)
        partial.unlink(missing_ok=True)
        _in_progress.discard(partial)


def check_can_grow(path: Path) -> None:
    """Finds out why a library could not write a file, by writing to its end.

    Libraries that write files by themselves, such as PyTorch and libsndfile, do not pass on the error of the operating
    system.

    Args:
        path: A file that is then removed; it becomes 1 MiB longer.

    Raises:
        OSError: If the file cannot become longer.
    """
    with path.open('ab') as file:
        file.write(bytes(1 << 20))


def write_text(path: Path, text: str) -> None:
    """Writes a text file (UTF-8) whole or not at all."""
    with replaced_file(path) as partial:
        partial.write_text(text, encoding='utf-8')


@contextlib.contextmanager
def _naming(path: Path, partial: Path | None = None) -> Iterator[None]:
    """Lets errors of the operating system name the file that the user knows."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and (error.filename is None or str(error.filename) == str(partial)):
            error.filename, error.filename2 = str(path), None
        raise


def _is_stream(path: Path) -> bool:
    """Tells whether a path leads to something else than a file of its own: a device, a pipe, or a file that is open."""
    for _ in range(40):  # as many links as Linux follows
        if os.path.realpath(path.parent).startswith(('/dev/fd', '/proc/')):
            return True
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _check_replaceable(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path.parent)) from None
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if path.exists() and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))


def _new_file(folder: Path, name: str) -> tuple[Path, int]:
    """Opens a new file that this process locks, and returns its descriptor."""
    while True:
        ending = f'.{os.getpid()}-{secrets.token_hex(8)}.partial'
        beginning = os.fsencode(name)[: _LONGEST_NAME_BYTES - len(ending)]
        partial = folder / f'{os.fsdecode(beginning)}{ending}'
        with contextlib.suppress(FileExistsError):
            with _naming(folder / name, partial):
                descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
            _in_progress.add(partial)
            _try_lock(descriptor)
            return partial, descriptor


def _try_lock(descriptor: int) -> bool:
    """Tells whether this process now holds the lock; False also if the disk does not support locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, *_NO_LOCKS):
            raise
        return False
    return True


def _remove_leftovers(folder: Path) -> None:
    """Removes the partial files of dead processes; large folders are looked through less often."""
    began = time.monotonic()
    if began < _next_look.get(folder.absolute(), 0.0):
        return
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries]
    ended = time.monotonic()
    _next_look[folder.absolute()] = ended + (ended - began) / _SHARE_OF_TIME
    for name in names:
        path, match = folder / name, _PARTIAL.search(name)
        if match is None or path in _in_progress or _is_alive(int(match['pid'])):
            continue
        with contextlib.suppress(OSError):  # it is gone, or not ours
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                if _try_lock(descriptor):  # else a process on another machine is writing it
                    path.unlink()
            finally:
                os.close(descriptor)


def _is_alive(pid: int) -> bool:
    """Tells whether another process on this machine has this number."""
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


def _append(source: Path, target: Path) -> None:
    """Copies a file to a device, a pipe or an open descriptor."""
    sys.stdout.flush()  # what was printed before comes first
    with source.open('rb') as file, target.open('ab', buffering=0) as stream:
        shutil.copyfileobj(file, stream)


@contextlib.contextmanager
def exclusive(lock_file: Path, patience_seconds: float = 30.0) -> Iterator[int]:
    """Holds a lock as long as this process, or a process that inherits the file descriptor, lives.

    On a network disk without locks every process gets the lock.

    Args:
        lock_file: File that carries the lock. It is created if it does not exist, and it stays.
        patience_seconds: Longest time to wait until another process releases the lock.

    Yields:
        The file descriptor of the lock, open for reading and writing.

    Raises:
        RuntimeError: If another process does not release the lock.
    """
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    patience_ends = time.monotonic() + patience_seconds
    descriptor = os.open(lock_file, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > patience_ends:
                    raise RuntimeError(
                        f'another process holds {lock_file}: wait until it has finished, or end it'
                    ) from None
                time.sleep(0.1)
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                break
        yield descriptor
    finally:
        os.close(descriptor)


def read_json_object(path: Path, fix: str = '', most_bytes: int = 1 << 26) -> dict[str, Any]:
    """Reads a JSON file that holds an object, as the settings and reports of this package do.

    Args:
        path: The file.
        fix: What to do if it is damaged, for the message.
        most_bytes: Largest size that is read.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, too large, no JSON, or no object.
        OSError: If it cannot be read.
    """
    text = read_regular(path, most_bytes)
    ending = f'; {fix}' if fix else ''
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not JSON ({error}){ending}') from error
    if not isinstance(content, dict):
        raise ValueError(f'{path} must hold a JSON object, and holds a {type(content).__name__}{ending}')
    return content


def read_regular(path: Path, most_bytes: int) -> bytes:
    """Reads a whole regular file of a bounded size: a pipe would be waited for, and a device never ends.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no regular file, or larger than ``most_bytes``.
        OSError: If it cannot be read.
    """
    with _naming(path):
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            found = os.fstat(descriptor)
            if stat.S_ISDIR(found.st_mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            if not stat.S_ISREG(found.st_mode):
                raise ValueError(f'{path} is a pipe or a device: name a file')
            if found.st_size > most_bytes:
                raise ValueError(f'{path} has {found.st_size} bytes, at most {most_bytes} are read')
            with os.fdopen(descriptor, 'rb', closefd=False) as file:
                return file.read(found.st_size)
        finally:
            os.close(descriptor)


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Returns rows as CSV with a header. The columns are those of all rows, and a cell is empty where a row lacks one.

    Example:
        >>> csv_text([dict(video='a.mp4', label=1), dict(video='b.mp4', text='oh, no')])
        'video,label,text\\na.mp4,1,\\nb.mp4,,"oh, no"\\n'
    """
    text = io.StringIO(newline='')
    writer = csv.DictWriter(text, list(dict.fromkeys(name for row in rows for name in row)), lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
