"""Bytes of shards, on a disk or behind any URL that fsspec knows."""

from __future__ import annotations

import logging
import os
import stat
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import fsspec
from fsspec.implementations.local import LocalFileSystem
from mmengine.logging import print_log

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.utils.files import read_regular

_OPEN_FILES = 16
_MOST_BYTES = 1 << 32  # of a file that is read whole, the index
_ATTEMPTS = 4  # of requests to a server, 1, 2 and 4 s apart


class Place(NamedTuple):
    """States where a clip lies.

    Attributes:
        shard: File name of the shard.
        start: Position of the first byte.
        stop: Byte after the last.
    """

    shard: str
    start: int
    stop: int


class ShardStorage:
    """Reads a folder of shards.

    On a disk, clips are read piece by piece, as they are needed. From elsewhere they come whole, those of a batch by
    concurrent requests: see :meth:`fetch`. May be used in worker processes, forked or spawned.

    Args:
        root: Folder or URL (``s3://bucket/shards``).
        options: Options of fsspec's file system, such as ``dict(anon=True)``.
    """

    def __init__(self, root: str, options: Mapping[str, Any] | None = None) -> None:
        self.root = root
        self._options = dict(options or {})
        self._forget()
        self.is_local = isinstance(self._connect()[0], LocalFileSystem)

    def _forget(self) -> None:
        """Drops what belongs to this process."""
        self._connection: tuple[int, Any, str] | None = None
        self._files: OrderedDict[str, BinaryIO] = OrderedDict()
        self._fetched: dict[Place, bytes | Exception] = {}

    def __getstate__(self) -> dict[str, Any]:
        return dict(root=self.root, _options=self._options, is_local=self.is_local)

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._forget()

    def _connect(self) -> tuple[Any, str]:
        """Returns file system and path of the folder; a connection does not outlive a fork."""
        if self._connection is None or self._connection[0] != os.getpid():
            self._connection = (os.getpid(), *fsspec.core.url_to_fs(self.root, **self._options))
        return self._connection[1], self._connection[2].rstrip('/')

    def read_file(self, name: str) -> bytes:
        """Reads a whole file.

        Raises:
            FileNotFoundError: If there is none.
        """
        filesystem, folder = self._connect()
        if self.is_local:
            return read_regular(Path(folder) / name, _MOST_BYTES)
        content: bytes = filesystem.cat_file(f'{folder}/{name}')
        return content

    def fetch(self, places: Sequence[Place]) -> None:
        """Gets clips by concurrent requests, for :meth:`open`. Does nothing on a disk; errors are left to it, too."""
        if self.is_local:
            return
        self._fetched, missing = {}, list(dict.fromkeys(places))
        for attempt in range(_ATTEMPTS):
            for place, found in zip(missing, self._request(missing)):
                self._fetched[place] = found
            missing = [place for place in missing if _may_pass(self._fetched[place])]
            if not missing or attempt == _ATTEMPTS - 1:
                return
            reason = self._fetched[missing[0]]
            print_log(f'{self.root}: {len(missing)} requests failed ({reason!r})', 'current', logging.WARNING)
            time.sleep(2**attempt)

    def _request(self, places: Sequence[Place]) -> list[bytes | Exception]:
        filesystem, folder = self._connect()
        paths = [f'{folder}/{place.shard}' for place in places]
        starts, stops = [place.start for place in places], [place.stop for place in places]
        parts: list[bytes | Exception] = filesystem.cat_ranges(paths, starts, stops, on_error='return')
        return parts

    def open(self, place: Place) -> FileBytes | MemoryBytes:
        """Reads the bytes of a clip.

        Raises:
            FileNotFoundError: If the shard is missing.
            MediaError: If it is shorter than the index says.
        """
        if self.is_local:
            return FileBytes(self, place)
        if place not in self._fetched:
            self.fetch([place])
        found = self._fetched.pop(place)
        if isinstance(found, FileNotFoundError):
            raise self._no_such_shard(place.shard) from found
        if isinstance(found, Exception):
            raise found
        if len(found) < place.stop - place.start:
            raise too_short(place)
        return MemoryBytes(found)

    def file(self, name: str) -> BinaryIO:
        """Opens a shard on the disk."""
        if name not in self._files:
            path = Path(self._connect()[1]) / name
            try:
                self._files[name] = _open_regular(path)
            except FileNotFoundError as error:
                raise self._no_such_shard(name) from error
            if len(self._files) > _OPEN_FILES:
                self._files.popitem(last=False)[1].close()
        self._files.move_to_end(name)
        return self._files[name]

    def _no_such_shard(self, name: str) -> FileNotFoundError:
        return FileNotFoundError(
            f'{self.root}/{name}: the shard is missing, the index lists it; copy it, or pack again'
        )


def _open_regular(path: Path) -> BinaryIO:
    """Opens a shard; a pipe in its place would be waited for."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise MediaError(f'{path} is no regular file: copy the shard, or pack again')
    return os.fdopen(descriptor, 'rb', buffering=0)


def _may_pass(found: bytes | Exception) -> bool:
    """Tells whether an error is temporary."""
    return isinstance(found, Exception) and not isinstance(found, (FileNotFoundError, PermissionError))


def too_short(place: Place) -> MediaError:
    """Returns the error for a shard that was cut."""
    return MediaError(
        f'{place.shard} ends before byte {place.stop}, where the index says that a clip ends: the shard was not copied '
        'to its end, or belongs to another index'
    )


class FileBytes:
    """Reads a clip on a disk. See :class:`~hicmae_mm.datasets.shards.clip.ByteSource`."""

    def __init__(self, storage: ShardStorage, place: Place) -> None:
        self._storage, self._place = storage, place
        self.size = place.stop - place.start

    def read(self, start: int, stop: int) -> bytes:
        """Reads without moving the file's position, which a forked process would share."""
        descriptor = self._storage.file(self._place.shard).fileno()
        if start > stop or self._place.start + stop > os.fstat(descriptor).st_size:  # before memory is taken for it
            raise too_short(self._place)
        return os.pread(descriptor, stop - start, self._place.start + start)


class MemoryBytes:
    """Reads a clip in memory. See :class:`~hicmae_mm.datasets.shards.clip.ByteSource`."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)
        self.size = len(data)

    def read(self, start: int, stop: int) -> memoryview:
        """Returns a view of the bytes, not a copy."""
        return self._data[start:stop]
