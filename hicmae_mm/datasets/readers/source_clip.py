"""Reads the frames of a video one after the other, with a limit on the memory for decoded frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.video import PyAVReader, open_video

_HELD_BYTES = 2**28
_ASSUMED_FPS = 25.0


class Clip:
    """Opens a video file or a folder of frames. It is a context manager that closes the file at its end.

    Args:
        path: Video file, or folder of pictures.
        name: Path relative to the folder of the data set, without extension. Other files of the clip have the same
            name. By default it is the name of the file.
        backend: See :func:`~hicmae_mm.datasets.readers.video.open_video`.
        frame_folder_fps: Frame rate of a folder of pictures; None if it is not known.
        held_bytes: Largest size of the decoded frames in memory. A clip that fits is decoded only once.

    Attributes:
        num_frames: Number of frames.
        height: Height of the frames (pixels).
        width: Width of the frames (pixels).

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        MediaError: If the file is broken.
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
            MediaError: If a frame cannot be decoded, or its size differs from that of the first frame.
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
        """Returns the time at which each frame is shown (seconds). An unknown frame rate counts as 25 per second."""
        if self.reader.fps is None:
            return [index / _ASSUMED_FPS for index in range(self.num_frames)]
        return [self.reader.frame_seconds(index)[0] for index in range(self.num_frames)]

    @property
    def seconds(self) -> float | None:
        """Returns the duration from the start of the first frame to the end of the last (seconds).

        It is None without time stamps.
        """
        if self.reader.fps is None:
            return None
        return self.reader.frame_seconds(self.num_frames - 1)[1] - self.reader.frame_seconds(0)[0]
