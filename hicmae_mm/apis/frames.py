"""Join the predictions per time step of overlapping windows to one prediction for each frame of a clip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hicmae_mm.apis.further import rows_between
from hicmae_mm.apis.windows import Window, frames_between
from hicmae_mm.datasets.clips.media import Timeline
from hicmae_mm.evaluation.clip_result import names_for
from hicmae_mm.structures import EmotionDataSample

_DIGITS = 4


@dataclass(frozen=True)
class FramePart:
    """Describes the frames of a clip that a window covers.

    Attributes:
        first: Number of its first frame.
        stop: Number of the frame after its last.
        seen: Numbers of the frames that the model saw, counted from ``first``. None if it saw all.
    """

    first: int
    stop: int
    seen: np.ndarray | None = None

    def steps_of_frames(self, num_steps: int) -> np.ndarray:
        """Returns for each frame the time step whose middle is nearest, ``(stop - first,)`` int."""
        seen = np.arange(self.stop - self.first) if self.seen is None else self.seen
        places = (np.arange(num_steps) + 0.5) * len(seen) / num_steps - 0.5
        middles = np.interp(places, np.arange(len(seen)), seen)
        steps: np.ndarray = np.searchsorted((middles[:-1] + middles[1:]) / 2, np.arange(self.stop - self.first))
        return steps


def number_fields(sample: EmotionDataSample) -> dict[str, np.ndarray]:
    """Returns the predicted numbers of a sample by field: ``(C,)``, or ``(T, C)`` with a row for each time step."""
    names = sorted(key for key in sample.keys() if key.startswith('pred_') and key != 'pred_view_scores')  # noqa: SIM118
    found = {key: sample.get(key) for key in names}
    return {key: value.numpy() for key, value in found.items() if value.is_floating_point() and value.ndim in (1, 2)}


def frame_fields(sample: EmotionDataSample) -> dict[str, np.ndarray]:
    """Returns those predictions of a sample that have a row for each time step, ``(T, C)`` by field."""
    return {name: rows for name, rows in number_fields(sample).items() if rows.ndim == 2}


class FrameGrid:
    """Describes the frames of a clip for which there is one prediction each.

    They are the frames of its pictures, or else the rows of its features. Without both, there are as many as the model
    has time steps.

    Args:
        timeline: Time line of the pictures. None without pictures.
        num_rows: Number of feature rows. None without features of frames.
        seconds: Length of the clip. None if it is not known.
        read_by: Time line by which the model reads the pictures, if it reads them at another rate.

    Attributes:
        num_frames: Number of frames. None until the first prediction tells it.
    """

    def __init__(
        self,
        timeline: Timeline | None,
        num_rows: int | None,
        seconds: float | None,
        read_by: Timeline | None = None,
    ) -> None:
        self._timeline, self._seconds, self._read_by = timeline, seconds, read_by
        self.num_frames = num_rows if timeline is None else timeline.num_frames

    def part(self, window: Window, share: tuple[float, float], seen: np.ndarray | None, num_steps: int) -> FramePart:
        """Returns the frames of a window.

        Args:
            window: The window.
            share: Its start and end as shares of the clip, in 0..1.
            seen: Frames of the window that the model saw. None if it saw all.
            num_steps: Number of time steps that the model predicts for the window.
        """
        if self._timeline is not None and window.frames is not None:
            if self._read_by is None:
                return FramePart(*window.frames, seen)
            first, stop = frames_between(self._timeline, window.start_seconds, window.end_seconds)
            read = np.arange(*window.frames) if seen is None else seen + window.frames[0]
            return FramePart(first, stop, self._read_by.stored_indices(read) - first)
        if self.num_frames is None:
            self.num_frames = max(round(num_steps / (share[1] - share[0])), 1)
        return FramePart(*rows_between(share, self.num_frames))

    def seconds(self) -> list[float] | None:
        """Returns the start of every frame; None if the times are not known."""
        if self.num_frames is None or self._seconds is None:
            return None
        if self._timeline is not None:
            return [self._timeline.frame_seconds(index)[0] for index in range(self.num_frames)]
        return [index * self._seconds / self.num_frames for index in range(self.num_frames)]


@dataclass
class FrameTrack:
    """Collects predictions per frame. A frame of several windows gets their mean, in which a window counts the more,
    the farther the frame is from its edges, because a model knows less of what happens near an edge.

    Attributes:
        num_frames: Number of frames of the clip.

    Example:
        >>> track = FrameTrack(4)
        >>> track.add(FramePart(0, 3), dict(pred_values=np.zeros((3, 1))))
        >>> track.add(FramePart(1, 4), dict(pred_values=np.ones((3, 1))))
        >>> track.means()['pred_values'][:, 0].round(2).tolist()
        [0.0, 0.33, 0.67, 1.0]
    """

    num_frames: int = 0
    _sums: dict[str, np.ndarray] = field(default_factory=dict)
    _weights: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, part: FramePart, fields: Mapping[str, np.ndarray]) -> None:
        """Adds the predictions ``(T, C)`` of a window."""
        count = part.stop - part.first
        weights = np.minimum(np.arange(1, count + 1), np.arange(count, 0, -1)).astype(float)
        for name, rows in fields.items():
            sums = self._sums.setdefault(name, np.zeros((self.num_frames, rows.shape[1])))
            total = self._weights.setdefault(name, np.zeros(self.num_frames))
            sums[part.first : part.stop] += weights[:, None] * rows[part.steps_of_frames(len(rows))]
            total[part.first : part.stop] += weights

    def means(self) -> dict[str, np.ndarray]:
        """Returns ``(num_frames, C)`` by field; frames that no window could score are NaN."""
        with np.errstate(invalid='ignore'):
            return {name: sums / self._weights[name][:, None] for name, sums in self._sums.items()}


def target_of(field_name: str) -> tuple[str, bool]:
    """Returns the name of the target of a field, and whether the field has scores of classes.

    Example:
        >>> target_of('pred_expression_score'), target_of('pred_values')
        (('expression', True), ('values', False))
    """
    name = field_name.removeprefix('pred_')
    if name == 'score':
        return 'label', True
    return name.removesuffix('_score'), name.endswith('_score')


def describe_frames(
    means: Mapping[str, np.ndarray], seconds: Sequence[float] | None, names: Mapping[str, Sequence[str] | None]
) -> dict[str, Any]:
    """Makes plain lists of the predictions per frame.

    Args:
        means: ``(N, C)`` by field.
        seconds: Time of each frame. None if the times are not known.
        names: Names of the entries by target.

    Returns:
        ``seconds``, and for each target ``scores`` with a list for each class and ``label``, or ``values`` with a list
        for each entry. None stands for frames that could not be scored.
    """
    found: dict[str, Any] = {'seconds': None if seconds is None else [round(moment, 3) for moment in seconds]}
    for field_name, rows in means.items():
        target, is_score = target_of(field_name)
        columns = names_for(names.get(target), rows.shape[1])
        lists = {name: _plain(column) for name, column in zip(columns, rows.T)}
        if is_score:
            leading = np.nan_to_num(rows).argmax(axis=1)
            labels = [None if np.isnan(row[0]) else columns[number] for row, number in zip(rows, leading)]
            found[target] = dict(label=labels, scores=lists)
        else:
            found[target] = dict(values=lists)
    return found


def _plain(column: np.ndarray) -> list[float | None]:
    return [None if np.isnan(value) else round(float(value), _DIGITS) for value in column]
