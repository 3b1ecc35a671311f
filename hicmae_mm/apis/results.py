"""Collect the result of a clip as plain dictionaries of names and numbers, which JSON can store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from hicmae_mm.apis.clip import PreparedWindow, WindowedClip, lacking
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.evaluation.clip_result import names_for
from hicmae_mm.structures import EmotionDataSample

_DIGITS = 6
LOW_FACE_COVERAGE = 0.75
"""A result contains a warning if the share of frames with a face is below this value."""


@dataclass(frozen=True)
class Names:
    """Names of the predictions of a model.

    Attributes:
        classes: Names of the emotion classes, or None if they are unknown.
        dimensions: Names of the regressed values, or None if they are unknown.
    """

    classes: Sequence[str] | None = None
    dimensions: Sequence[str] | None = None


@dataclass
class ClipReport:
    """Collects the predictions of a clip's windows.

    Attributes:
        name: Name of the clip.
        names: Names of the predictions.
        clip: The clip. None until it is open.
        windows: The windows in order, each with the model's prediction, or None if it could not be scored.
        error: Reason why the clip has no result.
    """

    name: str
    names: Names
    clip: WindowedClip | None = None
    windows: list[tuple[PreparedWindow, EmotionDataSample | None]] = field(default_factory=list)
    error: str | None = None

    def to_dict(self, model: str, notes: Sequence[str] = (), on_error: str = 'raise') -> dict[str, Any]:
        """Makes the result of the clip; docs/inference.md describes its keys.

        Args:
            model: Name of the model.
            notes: Further warnings.
            on_error: How to treat a clip without scores: ``'raise'`` or ``'skip'``.

        Returns:
            The result, or ``name``, ``model`` and ``error`` of a clip without one.

        Raises:
            MediaError: If no window could be scored and ``on_error`` is ``'raise'``.
        """
        scored = [sample for _, sample in self.windows if sample is not None]
        if self.error is None and not scored:
            self.error = f'{self.name}: {lacking(self._absent(()))}'
            if on_error == 'raise':
                raise MediaError(self.error)
        if self.error is not None or self.clip is None:
            return dict(name=self.name, model=model, error=self.error)
        clip = self.clip
        used = [
            name
            for name in clip.settings.streams
            if any(name in window.streams for window, sample in self.windows if sample is not None)
        ]
        return dict(
            name=self.name,
            model=model,
            **self._prediction(self.to_sample()),
            duration_seconds=None if clip.seconds is None else round(clip.seconds, 3),
            fps=None if clip.timeline is None else round(clip.timeline.fps, 3),
            window_seconds=_at_most(clip.window_seconds, clip.seconds),
            stride_seconds=_at_most(clip.stride_seconds, clip.seconds),
            streams=used,
            absent_streams=self._absent(used),
            face_coverage=self._coverage(),
            windows=[self._window(window, sample) for window, sample in self.windows],
            faces=clip.face_boxes,
            warnings=[*clip.warnings, *notes, *self._warnings()],
        )

    def to_sample(self) -> EmotionDataSample:
        """Averages the predictions of all windows.

        Returns:
            The overall prediction as a data sample.
        """
        scored = [sample for _, sample in self.windows if sample is not None]
        merged = EmotionDataSample(metainfo=dict(sample_id=self.name))
        if scored and 'pred_score' in scored[0]:
            merged.set_pred_score(np.mean([sample.pred_score.numpy() for sample in scored], axis=0))
        if scored and 'pred_values' in scored[0]:
            merged.set_pred_values(np.mean([sample.pred_values.numpy() for sample in scored], axis=0))
        return merged

    def _prediction(self, sample: EmotionDataSample | None) -> dict[str, Any]:
        found: dict[str, Any] = dict(label=None, scores=None, values=None)
        if sample is not None and 'pred_score' in sample:
            scores = sample.pred_score.tolist()
            names = names_for(self.names.classes, len(scores))
            found['label'] = names[int(np.argmax(scores))]
            found['scores'] = {name: round(score, _DIGITS) for name, score in zip(names, scores)}
        if sample is not None and 'pred_values' in sample:
            values = sample.pred_values.tolist()
            names = names_for(self.names.dimensions, len(values))
            found['values'] = {name: round(value, _DIGITS) for name, value in zip(names, values)}
        return found

    def _window(self, prepared: PreparedWindow, sample: EmotionDataSample | None) -> dict[str, Any]:
        return dict(
            start_seconds=round(prepared.window.start_seconds, 3),
            end_seconds=round(prepared.window.end_seconds, 3),
            **self._prediction(sample),
            streams=list(prepared.streams) if sample is not None else [],
            absent_streams=prepared.absent,
            face_coverage=None if prepared.face_coverage is None else round(prepared.face_coverage, 4),
        )

    def _coverage(self) -> float | None:
        boxes = [] if self.clip is None else [face['box'] for face in self.clip.face_boxes]
        return round(sum(box is not None for box in boxes) / len(boxes), 4) if boxes else None

    def _absent(self, used: Sequence[str]) -> dict[str, str]:
        """Finds the streams that are not in ``used``, and the reasons."""
        reasons: dict[str, str] = {}
        for window, _ in self.windows:
            reasons = {name: reason for name, reason in window.absent.items() if name not in used} | reasons
        return reasons

    def _warnings(self) -> list[str]:
        notes = []
        coverage = self._coverage()
        if coverage is not None and coverage < LOW_FACE_COVERAGE:
            notes.append(f'a face was seen in only {coverage:.0%} of the searched frames; scores may be worse')
        total, lost = len(self.windows), sum(sample is None for _, sample in self.windows)
        if lost:
            absent = next(window.absent for window, sample in self.windows if sample is None)
            notes.append(f'{lost} of {total} windows have no scores: {lacking(absent)}')
        partly = Counter(
            f'{name} ({reason})'
            for window, sample in self.windows
            if sample is not None
            for name, reason in window.absent.items()
        )
        notes += [
            f'scored without {what}' if count == total else f'{count} of {total} windows are scored without {what}'
            for what, count in partly.items()
        ]
        return notes


def _at_most(seconds: float, limit: float | None) -> float | None:
    return None if limit is None else round(min(seconds, limit), 3)
