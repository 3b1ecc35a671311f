"""Divide a clip into windows, and give each window to the model's pipeline as a short clip."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from hicmae_mm.datasets.clips.media import Timeline
from hicmae_mm.datasets.clips.transcripts import Cue
from hicmae_mm.datasets.filterbank import frame_samples
from hicmae_mm.datasets.readers.audio import AudioReader

SINGLE_WINDOW_SLACK = 1.25
"""A clip that is at most this many window lengths long is one window: the views of the test pipeline cover it."""


@dataclass(frozen=True)
class Window:
    """Describes a part of a clip.

    Attributes:
        start_seconds: Time at which it begins.
        end_seconds: Time at which it ends.
        frames: Index of its first frame on the time line, and of the frame after its last. None without pictures.
        samples: Index of its first sample, and of the sample after its last. None if it has no sound, or less than a
            filterbank frame needs.
        utterance: The subtitle that the window was made for. None if it was not made for one.
    """

    start_seconds: float
    end_seconds: float
    frames: tuple[int, int] | None
    samples: tuple[int, int] | None
    utterance: Cue | None = None

    @property
    def speaker(self) -> str | None:
        """Returns who speaks, if a subtitle says it."""
        return None if self.utterance is None else self.utterance.speaker


def window_edges(
    seconds: float, window_seconds: float, stride_seconds: float, slack: float = SINGLE_WINDOW_SLACK
) -> list[tuple[float, float]]:
    """Computes the start and the end of every window.

    The last window ends at the end of the clip. A clip that is at most ``slack`` window lengths long is one window.

    Args:
        seconds: Length of the clip.
        window_seconds: Length of a window. If it is infinite, every clip is one window.
        stride_seconds: Time from the start of one window to the start of the next.
        slack: Longest clip that is one window, in window lengths, at least 1.

    Returns:
        Start and end of each window in seconds.

    Example:
        >>> from hicmae_mm.apis.windows import window_edges
        >>> window_edges(5.0, window_seconds=2.0, stride_seconds=1.0)
        [(0.0, 2.0), (1.0, 3.0), (2.0, 4.0), (3.0, 5.0)]

    Raises:
        ValueError: If a length is not above 0.
    """
    if not window_seconds > 0:
        raise ValueError(f'window_seconds must be above 0, got {window_seconds}')
    if not stride_seconds > 0:
        raise ValueError(f'stride_seconds must be above 0, got {stride_seconds}')
    if seconds <= slack * window_seconds + 1e-6:
        return [(0.0, seconds)]
    rest = seconds - window_seconds
    starts = [number * stride_seconds for number in range(math.ceil(rest / stride_seconds - 1e-6))] + [rest]
    return [(start, start + window_seconds) for start in starts]


def clip_seconds(timeline: Timeline | None, audio: AudioReader | None, other_seconds: float | None = None) -> float:
    """Returns the length of a clip.

    The pictures define it. If there are none, the sound defines it, and without sound its other streams.

    Args:
        timeline: Time line of its frames, or None.
        audio: Its sound, or None.
        other_seconds: Length of the other streams. None if it is not known.

    Returns:
        The length in seconds; 0 if nothing tells it.
    """
    if timeline is not None:
        return timeline.seconds
    return audio.num_samples / audio.sample_rate_hz if audio is not None else other_seconds or 0.0


def plan_windows(
    timeline: Timeline | None,
    audio: AudioReader | None,
    seconds: float,
    window_seconds: float,
    stride_seconds: float,
    slack: float = SINGLE_WINDOW_SLACK,
) -> list[Window]:
    """Plans the windows of a clip.

    Args:
        timeline: Time line of its frames, or None.
        audio: Its sound, or None.
        seconds: See :func:`clip_seconds`.
        window_seconds: Length of a window.
        stride_seconds: Time from the start of one window to the start of the next.
        slack: See :func:`window_edges`.

    Returns:
        The windows in order.

    Raises:
        ValueError: If a length is not above 0.
    """
    edges = window_edges(seconds, window_seconds, stride_seconds, slack)
    if len(edges) == 1:  # the window gets all frames and samples, as in testing, also if one track is longer
        frames = None if timeline is None else (0, timeline.num_frames)
        samples = None if audio is None else _long_enough((0, audio.num_samples), audio)
        return [Window(0.0, seconds, frames, samples)]
    return [_window_between(timeline, audio, start, end) for start, end in edges]


def plan_utterances(
    timeline: Timeline | None, audio: AudioReader | None, seconds: float, cues: Sequence[Cue]
) -> list[Window]:
    """Plans a window for each subtitle.

    Args:
        timeline: Time line of its frames, or None.
        audio: Its sound, or None.
        seconds: See :func:`clip_seconds`.
        cues: The subtitles.

    Returns:
        The windows in order of their starts. Subtitles outside of the clip have none, and the end of the clip ends
        every window.
    """
    said = [(cue, cue.start_seconds, min(cue.end_seconds, seconds)) for cue in cues]
    return [
        replace(_window_between(timeline, audio, start, end), utterance=cue)
        for cue, start, end in sorted(said, key=lambda part: part[1])
        if start < end
    ]


def _window_between(timeline: Timeline | None, audio: AudioReader | None, start: float, end: float) -> Window:
    frames = None if timeline is None else frames_between(timeline, start, end)
    return Window(start, end, frames, _samples_between(audio, start, end))


def frames_between(timeline: Timeline, start: float, end: float) -> tuple[int, int]:
    """Returns the first frame of a part (seconds), and the frame after its last; a part has one frame at least."""
    first = min(timeline.index_at(start), timeline.num_frames - 1)
    return first, max(timeline.index_at(end), first + 1)


def _samples_between(audio: AudioReader | None, start: float, end: float) -> tuple[int, int] | None:
    if audio is None:
        return None
    rate, length = audio.sample_rate_hz, audio.num_samples
    return _long_enough((min(round(start * rate), length), min(round(end * rate), length)), audio)


def _long_enough(samples: tuple[int, int], audio: AudioReader) -> tuple[int, int] | None:
    # resampling may lose a sample of the 25 ms that one filterbank frame needs
    return samples if samples[1] - samples[0] > 1.1 * frame_samples(audio.sample_rate_hz) else None


class WindowVideo:
    """Reads the frames of a window like a video; see :class:`~hicmae_mm.datasets.readers.video.VideoReader`.

    Args:
        timeline: Time line of the whole clip.
        window: The window.
        pictures: Returns the pictures for indices of frames; the first frame of the window has index 0.
    """

    def __init__(
        self,
        timeline: Timeline,
        window: Window,
        pictures: Callable[[Sequence[int]], Sequence[np.ndarray]],
    ) -> None:
        assert window.frames is not None
        self._first, stop = window.frames
        self.num_frames = stop - self._first
        self.fps: float | None = timeline.fps
        self._timeline, self._origin, self._pictures = timeline, window.start_seconds, pictures

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        return np.stack(self._pictures(indices))

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        start, end = self._timeline.frame_seconds(self._first + index)
        return start - self._origin, end - self._origin

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`; the clip stays open."""


class WindowAudio:
    """Reads the sound of a window; see :class:`~hicmae_mm.datasets.readers.audio.AudioReader`.

    Args:
        audio: Sound of the whole clip.
        samples: Index of the first sample, and of the sample after the last.
    """

    start_seconds = 0.0

    def __init__(self, audio: AudioReader, samples: tuple[int, int]) -> None:
        self.sample_rate_hz, self.note = audio.sample_rate_hz, audio.note
        self.num_samples = samples[1] - samples[0]
        self._audio, self._first = audio, samples[0]

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""
        return self._audio.read(self._first + start, self._first + stop)

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`; the clip stays open."""
