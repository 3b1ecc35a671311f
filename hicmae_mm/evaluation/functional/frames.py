"""Measures over frames: concordance per sequence and over all frames, action units, smoothing, windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def population_concordance(predictions: np.ndarray, targets: np.ndarray) -> float:
    """Computes the CCC of two series ``(T,)`` with population moments; it is 0 where both are constant and equal."""
    x, y = np.asarray(predictions, np.float64), np.asarray(targets, np.float64)
    centred_x, centred_y = x - x.mean(), y - y.mean()
    scale = np.square(centred_x).sum() + np.square(centred_y).sum() + len(x) * (x.mean() - y.mean()) ** 2
    return float(2 * (centred_x * centred_y).sum() / scale) if scale > 0 else 0.0


def concordance_per_sequence(predictions: Sequence[np.ndarray], targets: Sequence[np.ndarray]) -> np.ndarray:
    """Computes the CCC of every sequence and dimension, ``(T_i, D)`` to ``(N, D)``. Some papers report its mean."""
    return np.array(
        [
            [population_concordance(p[:, d], t[:, d]) for d in range(p.shape[1])]
            for p, t in zip(predictions, targets, strict=True)
        ]
    )


def concordance_over_frames(
    predictions: Sequence[np.ndarray], targets: Sequence[np.ndarray], ignore: float = -5.0
) -> np.ndarray:
    """Computes the CCC ``(D,)`` over the frames of all sequences ``(T_i, D)``, the score of the ABAW challenges.

    A frame with ``ignore`` in any dimension is left out.
    """
    x, y = np.concatenate(list(predictions)), np.concatenate(list(targets))
    valid = (y != ignore).all(axis=1)
    return np.array([population_concordance(x[valid, d], y[valid, d]) for d in range(y.shape[1])])


def action_unit_f1(predictions: np.ndarray, targets: np.ndarray, ignore: int = -1) -> np.ndarray:
    """Computes F1 of every label ``(L,)`` over the rows of ``(N, L)`` with known labels; predictions are 0 or 1."""
    from sklearn import metrics

    known = (targets != ignore).all(axis=1)
    scores: np.ndarray = metrics.f1_score(targets[known], predictions[known], average=None, zero_division=0)
    return np.atleast_1d(scores)


def multitask_score(concordances: np.ndarray, expression_f1: float, unit_f1: np.ndarray) -> float:
    """Computes the score of the multi-task challenge of ABAW: mean CCC plus both F1."""
    return float(np.mean(concordances) + expression_f1 + np.mean(unit_f1))


def running_mean(values: np.ndarray, radius: int) -> np.ndarray:
    """Computes the mean of ``(T,)`` over ``t - radius`` to ``t + radius``, cut at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(np.asarray(values, np.float64))])
    places = np.arange(len(values))
    low, high = np.maximum(places - radius, 0), np.minimum(places + radius + 1, len(values))
    means: np.ndarray = (sums[high] - sums[low]) / (high - low)
    return means


def windows_of(num_frames: int, window: int, overlap: int = 0, keep_tail: bool = False) -> list[tuple[int, int]]:
    """Bounds of windows of a long sequence.

    Args:
        num_frames: Length of the sequence.
        window: Length of a window.
        overlap: Frames that two windows share.
        keep_tail: Whether the frames behind the last whole window form a short one.
    """
    step = window - overlap
    starts = range(0, num_frames - window + 1, step)
    bounds = [(start, start + window) for start in starts]
    next_start = bounds[-1][0] + step if bounds else 0
    if keep_tail and next_start < num_frames:
        bounds.append((next_start, num_frames))
    return bounds
