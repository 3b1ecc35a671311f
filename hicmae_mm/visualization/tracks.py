"""Predictions of a clip as functions of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

MOST_LINE_STEPS = 150
"""Number of time steps up to which several classes can be drawn as lines in one panel."""
_MOST_DENSE_LINES = 3


@dataclass(frozen=True)
class Track:
    """Stores the predictions of a target over time.

    Attributes:
        target: Name of the target, if a result has predictions per frame of several targets; else empty.
        kind: ``'scores'`` of classes, or ``'values'``.
        edges: Edges of N time steps, ``(N + 1,)`` seconds.
        values: ``(N, C)``, NaN where there is no prediction.
        names: C names.
        overall: Prediction for the whole clip by name.
    """

    target: str
    kind: str
    edges: np.ndarray
    values: np.ndarray
    names: list[str]
    overall: Mapping[str, float]

    @property
    def is_score(self) -> bool:
        """Returns whether the values are scores of classes."""
        return self.kind == 'scores'

    @property
    def title(self) -> str:
        """Returns what the values are, in words."""
        named = self.target.replace('_', ' ')
        if self.is_score:
            return f'{named} (%)' if named else 'score (%)'
        return named or 'value'

    @property
    def is_dense(self) -> bool:
        """Returns whether lines in one panel would hide each other."""
        return len(self.values) > MOST_LINE_STEPS and len(self.names) > _MOST_DENSE_LINES

    def merged(self, most: int) -> Track:
        """Joins neighbouring steps to at most ``most`` of about one length, which have the mean of their steps.

        Example:
            >>> values = np.array([[0.0], [1.0], [1.0], [np.nan]])
            >>> track = Track('', 'values', np.arange(5.0), values, ['valence'], {'valence': 0.7})
            >>> track.merged(2).edges.tolist(), track.merged(2).values[:, 0].tolist()
            ([0.0, 2.0, 4.0], [0.5, 1.0])
        """
        if len(self.values) <= most:
            return self
        wanted = np.linspace(self.edges[0], self.edges[-1], most + 1)
        kept = np.unique(np.searchsorted(self.edges[:-1], wanted[:-1]))
        weights = np.diff(self.edges)[:, None] * np.isfinite(self.values)
        sums = np.add.reduceat(weights * np.nan_to_num(self.values), kept)
        with np.errstate(invalid='ignore'):
            means = sums / np.add.reduceat(weights, kept)
        return replace(self, edges=self.edges[[*kept, -1]], values=means)


def tracks_of(result: Mapping[str, Any]) -> list[Track]:
    """Returns the predictions of a result over time.

    They are those of frames, a track for each target, if there are any. Otherwise they are the scores and the values at
    every moment, each as the mean of the windows that cover it.

    Args:
        result: Result of :class:`~hicmae_mm.apis.EmotionInferencer` for a clip.
    """
    frames = result.get('frames') or {}
    if frames.get('seconds'):
        targets = [name for name in frames if name != 'seconds']
        return [_of_frames(result, name, len(targets) > 1) for name in targets]
    return [_of_windows(result, kind) for kind in ('scores', 'values') if result.get(kind)]


def scores_over_time(result: Mapping[str, Any], kind: str = 'scores') -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Predictions as a function of time: those of frames, or at every moment the mean of the windows that cover it.

    Args:
        result: Result of :class:`~hicmae_mm.apis.EmotionInferencer` for a clip.
        kind: ``'scores'`` of classes, or ``'values'`` of dimensions.

    Returns:
        Edges of N steps in seconds ``(N + 1,)``, their values ``(N, C)``, NaN where no window has any, and C names.

    Raises:
        ValueError: If the clip has no predictions of that kind.
    """
    if not result.get(kind):
        raise ValueError(f'{result.get("name")}: the result has no {kind}')
    track = next(track for track in tracks_of(result) if track.kind == kind)
    return track.edges, track.values, track.names


def _of_frames(result: Mapping[str, Any], target: str, is_named: bool) -> Track:
    frames = result['frames']
    kind = 'scores' if 'scores' in frames[target] else 'values'
    lists: Mapping[str, Sequence[float | None]] = frames[target][kind]
    values = np.array(list(lists.values()), dtype=float).T  # (C, N) -> (N, C)
    scored = values[np.isfinite(values).all(axis=1)]
    overall = scored.mean(axis=0) if len(scored) else np.full(len(lists), np.nan)
    edges = np.array([*frames['seconds'], result['duration_seconds']])
    return Track(target if is_named else '', kind, edges, values, list(lists), dict(zip(lists, overall.tolist())))


def _of_windows(result: Mapping[str, Any], kind: str) -> Track:
    names, windows = list(result[kind]), result['windows']
    ends = [result['duration_seconds'] or 0.0, *(w['end_seconds'] for w in windows)]
    edges = np.unique([0.0, *(w['start_seconds'] for w in windows), *ends])
    middles = (edges[:-1] + edges[1:]) / 2
    total, count = np.zeros((len(middles), len(names))), np.zeros(len(middles))
    for window in windows:
        if window[kind] is not None:
            covered = (window['start_seconds'] <= middles) & (middles < window['end_seconds'])
            total[covered] += list(window[kind].values())
            count[covered] += 1
    with np.errstate(invalid='ignore'):
        return Track('', kind, edges, total / count[:, None], names, result[kind])
