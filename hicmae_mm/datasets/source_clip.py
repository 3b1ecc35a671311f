"""A video whose frames are read one after the other, without holding more of them than memory allows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.video_readers import PyAVReader, open_video

_HELD_BYTES = 2**28
_ASSUMED_FPS = 25.0


class Clip:
    """An opened video file or folder of frames; a context manager.

    Args:
        path: File or folder.
        name: Path relative to the data set's folder, without extension: what other files of the clip are called.
        backend: Of :func:`~hicmae_mm.datasets.video_readers.open_video`.
        frame_folder_fps: Frame rate of folders.
        held_bytes: Decoded frames that may be in memory at a time; a clip that fits is decoded once only.

    Attributes:
        num_frames: n.
        height: Of the frames (pixels).
        width: Of the frames (pixels).
    """

    def __init__(
        self,
        path: Path,
        name: str = '',
        backend: str | None = None,
        frame_folder_fps: float | None = None,
        held_bytes: int = _HELD_BYTES,
    ) -> None:
        self.path = path
        self.name = name or path.stem
        self.reader = open_video(path, backend, frame_folder_fps)
        self.num_frames = self.reader.num_frames
        first = self.reader.read([0])
        self.height, self.width = first.shape[1:3]
        self._chunk = max(1, held_bytes // first.nbytes)
        self._held: np.ndarray | None = None

    def __enter__(self) -> Clip:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = None
        self.reader.close()

    def frames(self) -> Iterator[np.ndarray]:
        """Yields every frame, ``(H, W, 3)`` uint8 RGB.

        Raises:
            MediaError: If a frame cannot be decoded, or has another size than the first.
        """
        if self._held is not None:
            yield from self._held
            return
        if isinstance(self.reader, PyAVReader) and self.num_frames > self._chunk:
            yield from self.reader.frames()
            return
        for start in range(0, self.num_frames, self._chunk):
            stop = min(start + self._chunk, self.num_frames)
            frames = self.reader.read(range(start, stop))  # (stop - start, H, W, 3)
            if frames.shape[1:3] != (self.height, self.width):
                raise MediaError(
                    f'{self.path}: frames from {start} on are {frames.shape[1:3]}, the first is '
                    f'{(self.height, self.width)}'
                )
            if len(frames) == self.num_frames:
                self._held = frames
            yield from frames

    def moments(self) -> list[float]:
        """When each frame is shown (seconds); 25 a second where nothing says it."""
        if self.reader.fps is None:
            return [index / _ASSUMED_FPS for index in range(self.num_frames)]
        return [self.reader.frame_seconds(index)[0] for index in range(self.num_frames)]

    @property
    def seconds(self) -> float | None:
        """From the start of the first frame to the end of the last; None without time stamps."""
        if self.reader.fps is None:
            return None
        return self.reader.frame_seconds(self.num_frames - 1)[1] - self.reader.frame_seconds(0)[0]
