"""Parts of longer files: readers that show the frames and the sound between two times as if they were a whole file."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence

import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import AudioReader
from hicmae_mm.datasets.readers.video import VideoReader

Span = tuple[float, float]  # start and end in seconds on the clock of the file; the end may be infinite


class VideoPart:
    """Reads the frames that start within a span. See :class:`~hicmae_mm.datasets.readers.video.VideoReader`.

    Args:
        reader: Reader of the whole video.
        span: Start and end (seconds).
        name: Name of the video in error messages.

    Attributes:
        first_frame: Number of the first frame of the span in the video.

    Raises:
        MediaError: If the frame rate is not known, or no frame starts within the span.
    """

    def __init__(self, reader: VideoReader, span: Span, name: object) -> None:
        self._reader, self._start_seconds = reader, span[0]
        self.fps = reader.fps
        if reader.fps is None:
            raise MediaError(f'{name}: start and end need times of frames; give OpenVideo the frame_folder_fps')
        times = _FrameStarts(reader)
        self.first_frame = bisect_left(times, span[0])
        self.num_frames = (bisect_left(times, span[1]) if math.isfinite(span[1]) else len(times)) - self.first_frame
        if self.num_frames < 1:
            last = times[len(times) - 1]
            raise MediaError(f'{name}: no frame lies within {_shown(span)}; the last frame starts at {last:.2f} s')

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        return self._reader.read([self.first_frame + index for index in indices])

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """Returns the start and the end of a frame in seconds, from the start of the span."""
        start, end = self._reader.frame_seconds(self.first_frame + index)
        return start - self._start_seconds, end - self._start_seconds

    def close(self) -> None:
        """Closes the file."""
        self._reader.close()


class _FrameStarts(Sequence[float]):
    """Gives the start of every frame (seconds) to a binary search."""

    def __init__(self, reader: VideoReader) -> None:
        self._reader = reader

    def __len__(self) -> int:
        return self._reader.num_frames

    def __getitem__(self, index):  # type: ignore[no-untyped-def]
        return self._reader.frame_seconds(index)[0]


class AudioPart:
    """Reads the samples of a span. See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`.

    Args:
        reader: Reader of the whole track. Its sample 0 is heard at time 0 of the clock of the file.
        span: Start and end (seconds).
        name: Name of the file in error messages.

    Raises:
        MediaError: If the track ends before the span starts.
    """

    start_seconds = 0.0

    def __init__(self, reader: AudioReader, span: Span, name: object) -> None:
        self._reader = reader
        self.sample_rate_hz, self.note = reader.sample_rate_hz, reader.note
        self._first = round(span[0] * self.sample_rate_hz)
        last = round(span[1] * self.sample_rate_hz) if math.isfinite(span[1]) else reader.num_samples
        self.num_samples = min(last, reader.num_samples) - self._first
        if self.num_samples < 1:
            seconds = reader.num_samples / reader.sample_rate_hz
            reader.close()
            raise MediaError(f'{name}: no sound lies within {_shown(span)}; the track ends at {seconds:.2f} s')

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""
        return self._reader.read(self._first + start, self._first + min(stop, self.num_samples))

    def close(self) -> None:
        """Closes the file."""
        self._reader.close()


def _shown(span: Span) -> str:
    return f'{span[0]:g} s to ' + (f'{span[1]:g} s' if math.isfinite(span[1]) else 'the end')
