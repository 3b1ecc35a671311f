"""Expressions, valence and arousal, and action units of every frame of long videos."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hicmae_mm.evaluation.functional.frames import (
    action_unit_f1,
    concordance_over_frames,
    concordance_per_sequence,
    multitask_score,
    running_mean,
)
from hicmae_mm.evaluation.metrics.base import PerSampleMetric, describe, identity, read_field, require_finite
from hicmae_mm.registry import METRICS

_Rows = tuple[np.ndarray, np.ndarray]  # predictions (T, C), targets (T, ...)


@METRICS.register_module()
class FrameMetric(PerSampleMetric):
    """Measures of all frames of all videos, as the ABAW challenges define them.

    Heads with ``level='frame'`` give the predictions. Clips may be overlapping windows of a video: frames that several
    of them have count once, with the mean of their predictions.

    Result keys: ``expression_f1`` (macro), ``CCC`` and ``CCC/{dimension}``, ``action_unit_f1`` (mean over units), and
    with all three tasks ``multitask``, the sum of both F1 and ``CCC``.

    Args:
        expression: Name of the target with a class per frame; ``None`` means there is none.
        values: Name of the target with values per frame; ``None`` means there is none.
        action_units: Name of the target with 0 or 1 for each unit; ``None`` means there is none.
        ignore: Value of classes and units that do not count.
        ignore_values: Value of values that do not count.
        video_field: Field of the samples that names the video.
        first_frame_field: Field of the samples with the number of the first frame in the video; ``None`` means a clip
            is the whole video.
        smooth_radius: Predicted values are averaged over so many frames on both sides.
        per_sequence: Whether to give ``CCC_per_sequence`` as well: the mean of the CCC of every clip, such as a window,
            as the validation score of some entries is. Frames that do not count are left out, and a constant clip
            counts 0. It is not the measure of the challenge.
        prefix: Put before every key as ``prefix/key``.

    Raises:
        ValueError: If there is no target, or the radius is negative.
    """

    def __init__(
        self,
        expression: str | None = 'expression',
        values: str | None = 'valence_arousal',
        action_units: str | None = 'action_units',
        ignore: int = -1,
        ignore_values: float = -5.0,
        video_field: str = 'sample_id',
        first_frame_field: str | None = None,
        smooth_radius: int = 0,
        per_sequence: bool = False,
        prefix: str | None = None,
    ) -> None:
        super().__init__(prefix)
        self.expression, self.values, self.action_units = expression, values, action_units
        self.fields = {name: f'pred_{name}' for name in (values, action_units) if name is not None}
        if expression is not None:
            self.fields[expression] = f'pred_{expression}_score'
        if not self.fields or smooth_radius < 0:
            raise ValueError(
                'FrameMetric needs one of expression, values and action_units, and a smooth_radius of at least 0; got '
                f'{list(self.fields)} and {smooth_radius}'
            )
        self.ignore, self.ignore_values, self.smooth_radius = ignore, ignore_values, smooth_radius
        self.per_sequence = per_sequence
        self.video_field, self.first_frame_field = video_field, first_frame_field

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002 (MMEngine's signature)
        """Keeps predictions and targets of every clip, and its place in its video.

        Raises:
            ValueError: If a clip lacks one of them, or has other frames in its prediction than in its target.
        """
        for sample in data_samples:
            first = 0
            if self.first_frame_field is not None:
                first = int(read_field(sample, self.first_frame_field, 'the list must have such a column').item())
            video = str(read_field(sample, self.video_field, 'set video_field to a column of the list'))
            tasks = {
                name: _read_rows(sample, field, name)
                for name, field in self.fields.items()
                if name not in sample.get('left_out', ())
            }
            self.results.append({'video': video, 'first': first, 'tasks': tasks, **identity(sample)})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Measures over all frames."""
        from sklearn import metrics

        merged = {name: _merge_windows(results, name) for name in self.fields}
        measures: dict[str, float] = {}
        if self.expression is not None:
            scores, classes = _joined(merged[self.expression])
            counts = classes != self.ignore
            found = metrics.f1_score(classes[counts], scores[counts].argmax(axis=1), average='macro', zero_division=0)
            measures['expression_f1'] = float(found)
        if self.values is not None:
            measures.update(self._concordances(merged[self.values]))
            if self.per_sequence:
                measures['CCC_per_sequence'] = self._mean_of_clips([result['tasks'] for result in results])
        if self.action_units is not None:
            scores, units = _joined(merged[self.action_units])
            measures['action_unit_f1'] = float(action_unit_f1((scores > 0.5).astype(int), units, self.ignore).mean())
        if len(self.fields) == 3:
            f1 = np.array([measures['action_unit_f1']])
            measures['multitask'] = multitask_score(np.array([measures['CCC']]), measures['expression_f1'], f1)
        return measures

    def recordings_of(self, name: str) -> list[_Rows]:
        """Returns the frames of every recording that was processed: predictions ``(T, C)``, smoothed if they are
        values, and targets ``(T, ...)``.

        Args:
            name: Name of a target.

        Raises:
            ValueError: If no clip has the target.
        """
        videos = _merge_windows(self.results, name)
        return self._smoothed(videos) if name == self.values else videos

    def _smoothed(self, videos: list[_Rows]) -> list[_Rows]:
        return [
            (np.stack([running_mean(column, self.smooth_radius) for column in rows.T], axis=1), target)
            for rows, target in videos
        ]

    def _concordances(self, videos: list[_Rows]) -> dict[str, float]:
        smooth = self._smoothed(videos)
        found = concordance_over_frames(
            [rows for rows, _ in smooth], [target for _, target in smooth], self.ignore_values
        )
        names = (self.dataset_meta or {}).get('dimensions') or ()
        names = names if len(names) == len(found) else range(len(found))
        each = {f'CCC/{name}': float(value) for name, value in zip(names, found)}
        return {'CCC': float(found.mean()), **(each if len(each) > 1 else {})}

    def _mean_of_clips(self, tasks: list[dict[str, _Rows]]) -> float:
        pairs = [task[self.values] for task in tasks if self.values in task]
        valid = [(rows, target.reshape(len(target), -1)) for rows, target in pairs]
        counts = [(target != self.ignore_values).all(axis=1) for _, target in valid]
        chosen = [(rows[kept], target[kept]) for (rows, target), kept in zip(valid, counts) if kept.any()]
        return float(concordance_per_sequence([rows for rows, _ in chosen], [target for _, target in chosen]).mean())


def _read_rows(sample: dict[str, Any], field: str, name: str) -> _Rows:
    """Predictions ``(T, C)`` and targets ``(T, ...)`` of a clip."""
    fix = f"the model needs a head with level='frame' and target={name!r}, or set this target of FrameMetric to None"
    prediction = require_finite(read_field(sample, field, fix), sample, field)
    target = read_field(sample, f'gt_{name}', 'read it by LoadFrameTargets')
    if prediction.ndim != 2 or target.ndim == 0 or len(prediction) != len(target):
        raise ValueError(
            f'sample {describe(sample)}: {field} {prediction.shape} and gt_{name} {target.shape} must have one row for '
            'each frame'
        )
    return prediction, target


def _merge_windows(results: list[dict[str, Any]], name: str) -> list[_Rows]:
    """Returns, for every video, the frames that a clip shows, in order: mean predictions, and targets."""
    videos: dict[str, list[tuple[int, np.ndarray, np.ndarray]]] = {}
    for result in results:
        if name in result['tasks']:
            videos.setdefault(result['video'], []).append((result['first'], *result['tasks'][name]))
    if not videos:
        raise ValueError(f'no sample has the target {name!r}; set it to None in FrameMetric')
    merged = []
    for windows in videos.values():
        start, end = min(first for first, *_ in windows), max(first + len(rows) for first, rows, _ in windows)
        sums, counts = np.zeros((end - start, windows[0][1].shape[1])), np.zeros(end - start)
        targets = np.zeros((end - start, *windows[0][2].shape[1:]), windows[0][2].dtype)
        for first, rows, target in windows:
            place = slice(first - start, first - start + len(rows))
            sums[place] += rows
            counts[place] += 1
            targets[place] = target
        shown = counts > 0
        merged.append((sums[shown] / counts[shown, None], targets[shown]))
    return merged


def _joined(videos: list[_Rows]) -> _Rows:
    return np.concatenate([rows for rows, _ in videos]), np.concatenate([target for _, target in videos])
