"""Measures of frames over resamples of recordings, for intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hicmae_mm.evaluation.comparison import Measure
from hicmae_mm.evaluation.metrics import FrameMetric
from hicmae_mm.evaluation.predictions import Samples


def frame_measures(samples: Samples, metric: FrameMetric) -> tuple[dict[str, Measure], int]:
    """Makes the measures of :class:`FrameMetric` as functions of how often each recording counts.

    Frames of a recording depend on each other, so that recordings are resampled and not frames.

    Args:
        samples: Predictions and targets per frame, as ``tools/test.py --out`` writes them.
        metric: The metric, which says where the targets are. It has no samples yet.

    Returns:
        ``expression_f1``, ``CCC`` and ``action_unit_f1``, those that the metric has; and the number of recordings.

    Raises:
        ValueError: If the samples lack a target of the metric.
    """
    metric.process(None, samples)
    found: dict[str, Measure] = {}
    recordings = 0
    for name in metric.fields:
        videos = metric.recordings_of(name)
        recordings = max(recordings, len(videos))
        owner = np.repeat(np.arange(len(videos)), [len(rows) for rows, _ in videos])  # recording of each frame
        rows, targets = (np.concatenate([video[part] for video in videos]) for part in (0, 1))
        if name == metric.expression:
            kept = targets != metric.ignore
            key, measure = 'expression_f1', macro_f1(rows[kept].argmax(axis=1), targets[kept])
        elif name == metric.action_units:
            kept = (targets != metric.ignore).all(axis=1)
            key, measure = 'action_unit_f1', label_f1(rows[kept] > 0.5, targets[kept] > 0)
        else:
            targets = targets.reshape(len(rows), -1)
            kept = (targets != metric.ignore_values).all(axis=1)
            key, measure = 'CCC', mean_concordance(rows[kept], targets[kept])
        found[key] = _of_recordings(measure, owner[kept])
    return found, recordings


def _of_recordings(measure: Measure, owner: np.ndarray) -> Measure:
    """Turns a measure of weights of frames into one of weights of recordings."""
    return lambda weights: measure(weights[:, owner])


def macro_f1(predictions: np.ndarray, labels: np.ndarray) -> Measure:
    """Computes the mean F1 of the classes that occur among labels or predictions, as scikit-learn does.

    Args:
        predictions: ``(N,)`` classes.
        labels: ``(N,)`` classes.
    """
    classes = np.union1d(predictions, labels)
    return label_f1(predictions[:, None] == classes, labels[:, None] == classes, occurring=True)


def label_f1(predictions: np.ndarray, labels: np.ndarray, occurring: bool = False) -> Measure:
    """Computes the mean F1 of several labels.

    Args:
        predictions: ``(N, L)`` bool.
        labels: ``(N, L)`` bool.
        occurring: Whether labels that occur neither in a resample nor among its predictions are left out; else they
            count 0.
    """
    hits, total = (predictions & labels).astype(float), predictions.astype(float) + labels

    def measure(weights: np.ndarray) -> np.ndarray:
        both = weights @ total  # (R, L)
        f1 = np.divide(
            2 * (weights @ hits), both, out=np.full(both.shape, np.nan if occurring else 0.0), where=both > 0
        )
        means: np.ndarray = np.nanmean(f1, axis=1)
        return means

    return measure


def mean_concordance(values: np.ndarray, targets: np.ndarray) -> Measure:
    """Computes the mean CCC of D values by population moments, as the ABAW challenges do.

    Args:
        values: ``(N, D)`` predictions.
        targets: ``(N, D)``.
    """
    moments: Sequence[np.ndarray] = (values, targets, values**2, targets**2, values * targets)

    def measure(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1, keepdims=True)
        x, y, xx, yy, xy = (weights @ moment / total for moment in moments)  # (R, D)
        scale = xx - x**2 + yy - y**2 + (x - y) ** 2
        found = np.divide(2 * (xy - x * y), scale, out=np.zeros_like(scale), where=scale > 0)
        means: np.ndarray = found.mean(axis=1)
        return means

    return measure
