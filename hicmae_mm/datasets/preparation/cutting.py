"""Cuts of long recordings: spans of time and of width, each a video of its own, from one pass over the recording."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
import numpy as np

from hicmae_mm.datasets.containers import check_complete
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.jobs import Job
from hicmae_mm.utils.media import write_video

_UNSTAMPED_FORMATS = {'avi'}  # FFmpeg makes their time stamps up; frames are counted instead


@dataclass(frozen=True)
class Cut:
    """A part of a recording.

    Attributes:
        name: File name of the result, without ending.
        start_seconds: Of the first frame, at the earliest.
        end_seconds: Of the first frame that does not belong to it.
        left: Edge, as a share of the width.
        right: Edge, as a share of the width.
    """

    name: str
    start_seconds: float
    end_seconds: float
    left: float = 0.0
    right: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.start_seconds < self.end_seconds:
            raise ValueError(f'{self.name}: expected 0 <= start < end, got {self.start_seconds} and {self.end_seconds}')
        if not 0 <= self.left < self.right <= 1:
            raise ValueError(f'{self.name}: expected 0 <= left < right <= 1, got {self.left} and {self.right}')


@dataclass
class _OpenCut:
    """A cut that the pass is in the middle of, with its frames so far."""

    cut: Cut
    frames: list[np.ndarray] = field(default_factory=list)

    def add(self, picture: np.ndarray) -> None:
        height, width = picture.shape[:2]
        left, right = (round(share * width) // 2 * 2 for share in (self.cut.left, self.cut.right))
        self.frames.append(picture[: height // 2 * 2, left:right].copy())  # H.264 needs even sizes


@dataclass(frozen=True)
class CutVideo:
    """Writes the cuts of a recording to a folder, ``NAME.mp4`` each, without sound.

    The frames of a cut are held until it ends (half a megabyte each for half of 720 x 480).

    Attributes:
        cuts: Cuts of every job, by the job's name.
        crf: H.264 rate factor.
    """

    cuts: Mapping[str, Sequence[Cut]]
    crf: int = 18

    def __call__(self, job: Job, target: Path) -> dict[str, Any]:
        """Makes the folder ``target`` of ``job.source``.

        Returns:
            ``cuts``, how many were written, and ``beyond_end``, names of those that begin after the last frame.

        Raises:
            FileNotFoundError: If there is no such file.
            MediaError: If it is broken, or has no pictures.
        """
        check_complete(job.source)
        target.mkdir(parents=True)
        waiting = sorted(self.cuts[job.name], key=lambda cut: cut.start_seconds, reverse=True)
        num_cuts, running = len(waiting), list[_OpenCut]()
        try:
            with av.open(str(job.source)) as container:
                rate = _picture_rate(container, job.source)
                for seconds, frame in _timed_frames(container, rate):
                    running = self._close(running, seconds, target, rate)
                    while waiting and waiting[-1].start_seconds <= seconds:
                        running.append(_OpenCut(waiting.pop()))
                    if not waiting and not running:
                        break
                    if running:
                        picture = frame.to_ndarray(format='rgb24')
                        for part in running:
                            part.add(picture)
        except av.error.FFmpegError as error:
            raise MediaError(f'{job.source}: cannot be decoded: {error}') from error
        self._close(running, float('inf'), target, rate)
        return dict(cuts=num_cuts - len(waiting), beyond_end=sorted(cut.name for cut in waiting))

    def _close(self, running: list[_OpenCut], seconds: float, target: Path, rate: float) -> list[_OpenCut]:
        """Writes the cuts that end at or before ``seconds``, once they have a frame; returns the others."""
        for part in running:
            if part.cut.end_seconds <= seconds and part.frames:
                write_video(target / f'{part.cut.name}.mp4', part.frames, rate, crf=self.crf)
        return [part for part in running if part.cut.end_seconds > seconds]


def _picture_rate(container: Any, path: Path) -> float:
    if not container.streams.video:
        raise MediaError(f'{path}: the file has no picture track')
    stream = container.streams.video[0]
    stream.codec_context.thread_count = 1
    if not stream.average_rate:
        raise MediaError(f'{path}: the file does not say its frame rate')
    return float(stream.average_rate)


def _timed_frames(container: Any, rate: float) -> Iterator[tuple[float, Any]]:
    """Yields the start of every frame (s), and the frame."""
    first_seconds: float | None = None
    for index, frame in enumerate(container.decode(video=0)):
        if container.format.name in _UNSTAMPED_FORMATS or frame.time is None:
            yield index / rate, frame
            continue
        first_seconds = frame.time if first_seconds is None else first_seconds
        yield frame.time - first_seconds, frame


def summarize_cuts(outcomes: Sequence[Any]) -> dict[str, Any]:
    """Number of cuts there are, and of those that their recording is too short for."""
    details = [outcome.details for outcome in outcomes]
    return dict(
        cuts=sum(detail.get('cuts', 0) for detail in details),
        beyond_end=sum(len(detail.get('beyond_end', ())) for detail in details),
    )
