"""Cuts of long recordings: spans of time and of width, each a video of its own, from one pass over the recording."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.jobs import Job
from hicmae_mm.datasets.readers.pyav_video import PyAVReader
from hicmae_mm.datasets.writers import write_video

_STAMP_ROUNDING_SECONDS = 6e-4  # containers round time stamps to milliseconds


@dataclass(frozen=True)
class Cut:
    """Describes a part of a recording.

    Attributes:
        name: File name of the result, without ending.
        start_seconds: Earliest time of the first frame.
        end_seconds: Time of the first frame after the clip.
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
class _PlannedCut:
    """Stores a cut, the frames of the recording that it shows, and their pictures so far."""

    cut: Cut
    indices: list[int]
    pictures: dict[int, np.ndarray] = field(default_factory=dict)

    def add(self, index: int, picture: np.ndarray) -> None:
        height, width = picture.shape[:2]
        left, right = (round(share * width) // 2 * 2 for share in (self.cut.left, self.cut.right))
        self.pictures[index] = picture[: height // 2 * 2, left:right].copy()  # H.264 needs even sizes


@dataclass(frozen=True)
class CutVideo:
    """Writes the cuts of a recording to a folder, ``NAME.mp4`` each, without sound.

    Where a recording drops frames, the one before is repeated, as players do. The frames of a cut are held until it
    ends (half a megabyte each for half of 720 x 480).

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
        reader = PyAVReader(job.source)
        try:
            starts = [reader.frame_seconds(index)[0] for index in range(reader.num_frames)]
            rate = usual_rate(starts, reader.fps, job.source)
            cuts = sorted(self.cuts[job.name], key=lambda cut: cut.start_seconds)
            planned = [_PlannedCut(cut, shown_frames(starts, cut, rate)) for cut in cuts]
            target.mkdir(parents=True)
            self._write(reader, [part for part in planned if part.indices], target, rate)
        finally:
            reader.close()
        beyond_end = sorted(part.cut.name for part in planned if not part.indices)
        return dict(cuts=len(planned) - len(beyond_end), beyond_end=beyond_end)

    def _write(self, reader: PyAVReader, waiting: list[_PlannedCut], target: Path, rate: float) -> None:
        """Writes the cuts in one pass over the recording; those that it has reached are open at a time."""
        wanted = sorted({index for part in waiting for index in part.indices})
        for index, picture in zip(wanted, reader.forward(wanted) if wanted else (), strict=True):
            for part in waiting:
                if part.indices[0] > index:
                    break
                if index in part.indices:
                    part.add(index, picture)
            done = [part for part in waiting if part.indices[-1] <= index]
            for part in done:
                frames = (part.pictures[shown] for shown in part.indices)
                write_video(target / f'{part.cut.name}.mp4', frames, rate, crf=self.crf)
            waiting = [part for part in waiting if part.indices[-1] > index]


def usual_rate(starts: Sequence[float], fps: float | None, path: Path) -> float:
    """Frames per second where none is dropped.

    Raises:
        MediaError: If the recording does not say it.
    """
    if len(starts) < 2:
        if not fps:
            raise MediaError(f'{path}: the file does not say its frame rate')
        return fps
    step = float(np.median(np.diff(starts)))
    mean = (starts[-1] - starts[0]) / (len(starts) - 1)
    return fps if fps and mean - step <= _STAMP_ROUNDING_SECONDS else 1 / step


def shown_frames(starts: Sequence[float], cut: Cut, rate: float) -> list[int]:
    """Returns the frames that a cut shows at a constant rate: those that start in it, at least one.

    Args:
        starts: Time at which each frame of the recording is shown (s), ascending.
        cut: The cut.
        rate: Frames per second.

    Returns:
        Indices of frames; none if the cut starts after the last frame.
    """
    first = int(np.searchsorted(starts, cut.start_seconds - 1e-9))
    if first == len(starts):
        return []
    end = min(cut.end_seconds, starts[-1] + 1 / rate)
    count = max(int(np.ceil((end - starts[first]) * rate - 1e-3 - _STAMP_ROUNDING_SECONDS * rate)), 1)
    moments = starts[first] + np.arange(count) / rate + _STAMP_ROUNDING_SECONDS
    indices: list[int] = (np.searchsorted(starts, moments, side='right') - 1).tolist()
    return indices


def summarize_cuts(outcomes: Sequence[Any]) -> dict[str, Any]:
    """Counts the cuts, and those that end after their recording."""
    details = [outcome.details for outcome in outcomes]
    return dict(
        cuts=sum(detail.get('cuts', 0) for detail in details),
        beyond_end=sum(len(detail.get('beyond_end', ())) for detail in details),
    )
