"""Opens clips, maps times to their frames, and reads the frames that are used in one pass."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from hicmae_mm.datasets.clips.inputs import ClipInput, tracks_of
from hicmae_mm.datasets.readers.audio import AlignedAudio, AudioReader, open_audio
from hicmae_mm.datasets.readers.spans import AudioPart, VideoPart
from hicmae_mm.datasets.readers.video import PyAVReader, VideoReader, open_video

_LATEST_START_SECONDS = 0.5
_HELD_BYTES = 2**26  # size of the frames that are decoded in one step


class ArrayVideo:
    """Reads frames from an array; see :class:`~hicmae_mm.datasets.readers.video.VideoReader`.

    Args:
        frames: ``(T, H, W, 3)`` uint8 RGB.
        fps: Frames per second.
    """

    def __init__(self, frames: np.ndarray, fps: float) -> None:
        self.num_frames = len(frames)
        self.fps: float | None = float(fps)
        self._frames = frames

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        return self._frames[list(indices)]

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        assert self.fps is not None
        return index / self.fps, (index + 1) / self.fps

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""


class ArrayAudio:
    """Reads samples from an array; see :class:`~hicmae_mm.datasets.readers.audio.AudioReader`.

    Args:
        waveform: ``(S,)`` float32 in -1..1.
        sample_rate_hz: Sampling rate of the waveform.
    """

    start_seconds = 0.0
    note: str | None = None

    def __init__(self, waveform: np.ndarray, sample_rate_hz: int) -> None:
        self.num_samples = len(waveform)
        self.sample_rate_hz = int(sample_rate_hz)
        self._waveform = waveform

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""
        return self._waveform[start:stop]

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""


class Timeline:
    """Maps frames of a video to the times at which they are shown. It decodes nothing.

    Times are those of the file. If the first frame starts late, times count from it; see :func:`origin_seconds`.

    Args:
        reader: Reader of the video.
        frame_rate_hz: Rate at which frames are taken, by repeating or omitting frames of the file; None takes every
            frame once.

    Attributes:
        num_frames: Number of frames n at the rate ``fps``.
        fps: ``frame_rate_hz``, or the measured frame rate of the file.
        seconds: End of the last frame (seconds).
        origin_seconds: Start of the timeline on the clock of the file (seconds).
        is_retimed: Whether frames are repeated or left out.
    """

    def __init__(self, reader: VideoReader, frame_rate_hz: float | None = None) -> None:
        self._reader = reader
        count = reader.num_frames
        self._origin = self.origin_seconds = origin_seconds(reader)
        last = self._start(count - 1)
        shown = last - self._start(0)
        measured = (count - 1) / shown if shown > 0 else float(reader.fps or 25.0)
        self.seconds = last + 1 / measured  # the end of the last frame is often missing or wrong in the file
        self.fps = frame_rate_hz or measured
        self.is_retimed = frame_rate_hz is not None
        self.num_frames = max(1, round(self.seconds * self.fps)) if self.is_retimed else count

    def _start(self, index: int) -> float:
        return float(self._reader.frame_seconds(index)[0]) - self._origin

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """Returns the start and the end of a frame (seconds)."""
        if self.is_retimed:
            return index / self.fps, (index + 1) / self.fps
        start, end = self._reader.frame_seconds(index)
        return float(start) - self._origin, float(end) - self._origin

    def index_at(self, seconds: float) -> int:
        """Returns the index of the first frame that starts at or after a time; n if there is none.

        Time stamps are rounded. So a frame counts, too, if the time lies in the first quarter in which it is shown; the
        quarter is never longer than that of a mean frame.
        """
        if self.is_retimed:
            early = seconds - 0.25 / self.fps
            return min(max(int(np.ceil(early * self.fps)), 0), self.num_frames)
        frames = range(self.num_frames)
        found = bisect_left(frames, seconds, key=self._start)
        if found == 0:
            return 0
        start = self._start(found - 1)
        # the last frame is taken to be shown as long as the one before it
        shown = (self._start(found) - start) if found < self.num_frames else start - self._start(max(found - 2, 0))
        is_early = seconds - start <= 0.25 * min(shown, 1 / self.fps)
        return bisect_left(frames, start, key=self._start) if is_early else found

    def stored_indices(self, indices: np.ndarray) -> np.ndarray:
        """Returns the frames of the file for frames of this timeline, both ``(n,)`` int."""
        if not self.is_retimed:
            return indices
        moments = indices / self.fps + 0.25 / self.fps
        stored = range(self._reader.num_frames)
        return np.array([max(bisect_right(stored, moment, key=self._start) - 1, 0) for moment in moments], dtype=int)


def origin_seconds(video: VideoReader | None) -> float:
    """Returns the start of the time of a clip, on the clock of its file (seconds).

    This is 0, or the start of the first frame if that is more than 0.5 s or below 0.
    """
    first = 0.0 if video is None else float(video.frame_seconds(0)[0])
    return 0.0 if 0 <= first <= _LATEST_START_SECONDS else first


class ForwardReader:
    """Reads frames of a video in one forward pass. Each frame is decoded once, and stays in memory until released.

    Args:
        reader: Reader of the video.
        wanted: Indices of all frames that will be read, ascending.
    """

    def __init__(self, reader: VideoReader, wanted: Sequence[int]) -> None:
        self._reader = reader
        self._wanted = list(wanted)
        self._next = 0
        self._held: dict[int, np.ndarray] = {}
        self._decoded: Iterator[np.ndarray] | None = None
        self._chunk: int | None = None

    def get(self, indices: Sequence[int]) -> list[np.ndarray]:
        """Returns frames ``(H, W, 3)`` uint8 RGB. None of them may have been released before.

        Raises:
            MediaError: If a frame cannot be decoded.
        """
        self._advance(max(indices))
        return [self._held[index] for index in indices]

    def release(self, indices: Sequence[int]) -> None:
        """Removes frames from memory."""
        for index in indices:
            self._held.pop(index, None)

    def _advance(self, last: int) -> None:
        stop = bisect_right(self._wanted, last)
        while self._next < stop:
            end = min(stop, self._next + (self._chunk or 1))
            new = self._wanted[self._next : end]
            frames = self._read(new)
            self._held.update(zip(new, frames, strict=True))
            self._next = end
            self._chunk = max(1, _HELD_BYTES // frames[0].nbytes)

    def _read(self, indices: Sequence[int]) -> list[np.ndarray]:
        if not isinstance(self._reader, PyAVReader):
            return list(self._reader.read(indices))
        if self._decoded is None:  # one pass for all frames; reading in parts would start at a key frame for each part
            self._decoded = self._reader.forward(self._wanted)
        return list(islice(self._decoded, len(indices)))


class OpenClip:
    """Opens the readers of a clip. It is a context manager that closes them at its end.

    Args:
        clip: The clip.
        streams: Streams to open, some of ``'video'`` and ``'audio'``.
        backend: See :func:`~hicmae_mm.datasets.readers.video.open_video`.

    Attributes:
        clip: The clip.
        video: Reader of the pictures; None if they are missing or not requested.
        audio: Reader of the sound, whose first sample is at the start of the time of the clip; None if it is missing
            or not requested.
        notes: Remarks for the user about the choice of the tracks.
        missing: Name of each requested stream that is missing, and the reason.

    Raises:
        FileNotFoundError: If a file is missing.
        MediaError: If a file is broken.
    """

    def __init__(self, clip: ClipInput, streams: Sequence[str], backend: str | None = None) -> None:
        self.clip = clip
        self.missing: dict[str, str] = {}
        self.notes: list[str] = []
        self.video: VideoReader | None = None
        self.audio: AlignedAudio | None = None
        try:
            if 'video' in streams:
                self._open_video(backend)
            if 'audio' in streams:
                self._open_audio()
        except (FileNotFoundError, ValueError):
            self.close()
            raise

    def _open_video(self, backend: str | None) -> None:
        video, fps = self.clip.video, self.clip.fps
        if video is None:
            self.missing['video'] = 'there are no pictures'
        elif isinstance(video, np.ndarray):
            assert fps is not None
            self.video = ArrayVideo(video, fps)
        elif video.is_file() and 'video' not in tracks_of(video):
            self.missing['video'] = 'the file has no picture track'
        else:
            reader = open_video(video, backend, fps)
            self.video = reader if self.clip.span is None else VideoPart(reader, self.clip.span, video)

    def _open_audio(self) -> None:
        audio = self.clip.audio
        if audio is None:
            self.missing['audio'] = 'there is no sound'
        elif isinstance(audio, np.ndarray):
            assert self.clip.sample_rate_hz is not None
            sound = ArrayAudio(audio, self.clip.sample_rate_hz)
            self.audio = AlignedAudio(sound, self._sound_origin(sound))
        elif 'audio' not in tracks_of(audio):
            self.missing['audio'] = 'the file has no sound track'
        else:
            reader = open_audio(audio)
            if reader.note:
                self.notes.append(reader.note)
            if self.clip.span is None:
                self.audio = AlignedAudio(reader, self._sound_origin(reader))
            else:
                self.audio = AlignedAudio(AudioPart(AlignedAudio(reader), self.clip.span, audio), 0.0)

    def _sound_origin(self, reader: AudioReader) -> float:
        """Returns the start of the time of the clip on the clock of the sound, which a separate file shares."""
        if self.video is None:
            return reader.start_seconds if self.clip.shares_clock else 0.0
        return origin_seconds(self.video)

    def close(self) -> None:
        """Closes the files."""
        for reader in (self.video, self.audio):
            if reader is not None:
                reader.close()

    def __enter__(self) -> OpenClip:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def path(self) -> Path | None:
        """Returns the path of the video; it is None if the clip has frames in memory, or no video."""
        return self.clip.video if isinstance(self.clip.video, Path) else None
