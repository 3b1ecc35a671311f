"""Cache of decoded videos in memory, which the worker processes of a data loader share."""

from __future__ import annotations

import hashlib
import mmap
import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.video import VideoReader

_BYTES_PER_SLOT = 1 << 15  # memory per entry of the table; the table may fill up early if clips are smaller
_ENTRY = np.dtype(
    [
        ('key', 'V16'),
        ('offset', 'i8'),
        ('shape', 'i8', 4),  # (n, H, W, 3); all 0 where the entry is free
        ('fps', 'f8'),  # NaN if it is unknown
        ('has_seconds', '?'),
    ]
)


@dataclass
class _Clip:
    frames: np.ndarray  # (n, H, W, 3) uint8
    seconds: np.ndarray | None  # (n, 2) float64, start and end
    fps: float | None


class FrameCache:
    """Keeps the decoded frames of videos in memory, up to a number of bytes.

    Without a cache, every epoch decodes all videos again. Reading from memory is several times faster and gives the
    same frames. The first use of a video decodes all its frames. A full cache keeps its videos, and other videos are
    read from their files. It does not replace the oldest video, because each video is used once per epoch, and the
    oldest one is needed next.

    Forked worker processes (the default on Linux) share the cache. Its anonymous shared memory takes no space in
    ``/dev/shm``, and the system allocates only the part that is filled. A pickled copy (in a spawned worker) is empty.

    Args:
        max_bytes: Largest size of the cache (bytes).

    Raises:
        ValueError: If ``max_bytes`` is not above 0.
    """

    def __init__(self, max_bytes: int) -> None:
        if max_bytes <= 0:
            raise ValueError(f'max_bytes must be above 0, got {max_bytes}; leave the cache out instead')
        self.max_bytes = max_bytes
        self._lock = multiprocessing.Lock()
        self._memory = np.frombuffer(mmap.mmap(-1, max_bytes), np.uint8)
        num_slots = max(max_bytes // _BYTES_PER_SLOT, 8)
        self._table = np.frombuffer(mmap.mmap(-1, num_slots * _ENTRY.itemsize), _ENTRY)
        self._used = np.frombuffer(mmap.mmap(-1, 8), np.int64)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrameCache, (self.max_bytes,)

    def open(self, path: str | Path, open_file: Callable[[], VideoReader]) -> VideoReader:
        """Returns a reader of the cached frames of a video. It decodes and stores them first if they are not there yet.

        Args:
            path: The video. A file whose size or modification time changed counts as another video.
            open_file: Opens the file.

        Returns:
            Reader of the cached frames, or the reader of the file if the frames do not fit into the cache.

        Raises:
            FileNotFoundError: If there is nothing at ``path``.
            MediaError: If ``open_file`` raises it.
        """
        try:
            stat = Path(path).stat()
        except FileNotFoundError:
            return open_file()  # which raises an error with its own message
        key = hashlib.blake2b(f'{path}|{stat.st_size}|{stat.st_mtime_ns}'.encode(), digest_size=16).digest()
        clip = self._find(key)
        if clip is not None:
            return CachedReader(clip, open_file)
        reader = open_file()
        decoded = self._decode(reader)
        if decoded is None:
            return reader
        reader.close()
        self._store(key, decoded)
        return CachedReader(decoded, open_file)

    def _decode(self, reader: VideoReader) -> _Clip | None:
        """Decodes all frames of a video; returns None if they do not fit, or if one of them cannot be read."""
        free = self.max_bytes - int(self._used[0])
        try:
            if reader.num_frames * (reader.read([0]).nbytes + 16) > free:
                return None
            frames = reader.read(range(reader.num_frames))
        except MediaError:
            return None
        try:
            seconds = np.array([reader.frame_seconds(index) for index in range(reader.num_frames)])
        except (MediaError, ValueError):  # without time stamps; frame_seconds raises this error again if it is called
            seconds = None
        return _Clip(frames, seconds, reader.fps)

    def _store(self, key: bytes, clip: _Clip) -> None:
        seconds = np.zeros((0, 2)) if clip.seconds is None else clip.seconds
        size = seconds.nbytes + clip.frames.nbytes
        with self._lock:
            slot = self._slot_of(key)
            offset = int(self._used[0])
            if slot is None or self._table[slot]['shape'].any() or offset + size > self.max_bytes:
                return
            self._used[0] = offset + size + -size % 8
            self._memory[offset : offset + seconds.nbytes] = seconds.reshape(-1).view(np.uint8)
            self._memory[offset + seconds.nbytes : offset + size] = clip.frames.reshape(-1)
            fps = np.nan if clip.fps is None else clip.fps
            self._table[slot] = (np.void(key), offset, clip.frames.shape, fps, clip.seconds is not None)

    def _find(self, key: bytes) -> _Clip | None:
        with self._lock:
            slot = self._slot_of(key)
            if slot is None or not self._table[slot]['shape'].any():
                return None
            entry = self._table[slot]
        shape, offset, seconds = tuple(entry['shape'].tolist()), int(entry['offset']), None
        if entry['has_seconds']:
            end = offset + shape[0] * 16
            seconds = self._memory[offset:end].view(np.float64).reshape(-1, 2)
            offset = end
        frames = self._memory[offset : offset + int(np.prod(shape))].reshape(shape)
        return _Clip(frames, seconds, None if np.isnan(entry['fps']) else float(entry['fps']))

    def _slot_of(self, key: bytes) -> int | None:
        """Returns the slot that holds a key, or the slot for a new key; None if the table is full."""
        num_slots = len(self._table)
        start = int.from_bytes(key[:8], 'little') % num_slots
        for step in range(num_slots):
            slot = (start + step) % num_slots
            entry = self._table[slot]
            if not entry['shape'].any() or entry['key'].tobytes() == key:
                return slot
        return None


class CachedReader:
    """Reads a video from the cache; see :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""

    def __init__(self, clip: _Clip, open_file: Callable[[], VideoReader]) -> None:
        self._clip = clip
        self._open_file = open_file
        self.num_frames = len(clip.frames)
        self.fps = clip.fps

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`. The frames are a copy, which may be changed."""
        return self._clip.frames[np.asarray(indices, dtype=np.intp)]

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        if self._clip.seconds is None:
            return self._open_file().frame_seconds(index)
        start, end = self._clip.seconds[index].tolist()
        return start, end

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
