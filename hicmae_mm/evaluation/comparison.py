"""Tests whether two models differ by more than the choice of test clips would explain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import scipy

Measure = Callable[[np.ndarray], np.ndarray]  # weights of clips (R, N) -> values (R,)
_CHUNK = 256  # resamples at a time


@dataclass(frozen=True)
class Difference:
    """Stores a paired bootstrap of a measure.

    Attributes:
        first: Value of the first model.
        second: Value of the second model.
        low: Lower bound of the 95 % interval of ``second - first``.
        high: Upper bound.
        p_value: Two-sided: how often resampling puts the difference on the other side of zero, doubled.
    """

    first: float
    second: float
    low: float
    high: float
    p_value: float


def unweighted_recall(predictions: np.ndarray, labels: np.ndarray) -> Measure:
    """Computes the UAR of resamples: the mean recall of the classes that occur in each."""
    is_class = labels[:, None] == np.unique(labels)  # (N, C)
    hits = is_class & (predictions == labels)[:, None]

    def measure(weights: np.ndarray) -> np.ndarray:
        support = weights @ is_class  # (R, C)
        recalls = np.divide(weights @ hits, support, out=np.full(support.shape, np.nan), where=support > 0)
        means: np.ndarray = np.nanmean(recalls, axis=1)
        return means

    return measure


def accuracy(predictions: np.ndarray, labels: np.ndarray) -> Measure:
    """Computes the WAR of resamples."""
    hits = (predictions == labels).astype(np.float64)
    return lambda weights: weights @ hits / weights.sum(axis=1)


def concordance(values: np.ndarray, targets: np.ndarray) -> Measure:
    """Computes the CCC of resamples of one dimension, ``(N,)`` each; moments as in ``concordance_correlation``."""

    def measure(weights: np.ndarray) -> np.ndarray:
        total = weights.sum(axis=1)
        mean_x, mean_y = weights @ values / total, weights @ targets / total
        freedom = np.maximum(total - 1, 1)
        covariance = (weights @ (values * targets) - total * mean_x * mean_y) / freedom
        spread = (weights @ values**2 - total * mean_x**2 + weights @ targets**2 - total * mean_y**2) / freedom
        scale = spread + (mean_x - mean_y) ** 2
        concordances: np.ndarray = np.divide(2 * covariance, scale, out=np.zeros_like(scale), where=scale > 0)
        return concordances

    return measure


def paired_bootstrap(
    first: Measure, second: Measure, num_clips: int, num_resamples: int = 10000, seed: int = 0
) -> Difference:
    """Resamples the test clips, the same for both models (Efron and Tibshirani, 1993).

    Args:
        first: Measure of the first model's predictions.
        second: The same measure of the second's.
        num_clips: Number of clips N.
        num_resamples: Resamples of N clips with replacement.
        seed: Seed of the resampling.
    """
    everything = np.ones((1, num_clips))
    differences = np.concatenate([second(w) - first(w) for w in _resamples(num_clips, num_resamples, seed)])
    low, high = np.quantile(differences, [0.025, 0.975])
    tail = min((differences <= 0).mean(), (differences >= 0).mean())
    value_1, value_2 = float(first(everything)[0]), float(second(everything)[0])
    return Difference(value_1, value_2, float(low), float(high), min(1.0, 2 * float(tail)))


def bootstrap_interval(
    measure: Measure, num_clips: int, num_resamples: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """Resamples the test clips, and returns the value of a measure with its 95 % interval (Efron and Tibshirani, 1993).

    Args:
        measure: Measure of the predictions.
        num_clips: Number of clips N.
        num_resamples: Resamples of N clips with replacement.
        seed: Seed of the resampling.

    Returns:
        The value of all clips, and the lower and upper bound.
    """
    values = np.concatenate([measure(weights) for weights in _resamples(num_clips, num_resamples, seed)])
    low, high = np.quantile(values, [0.025, 0.975])
    return float(measure(np.ones((1, num_clips)))[0]), float(low), float(high)


def _resamples(num_clips: int, num_resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Draws how often each clip is in a resample, ``(R, N)``, in chunks."""
    generator = np.random.default_rng(seed)
    for start in range(0, num_resamples, _CHUNK):
        size = min(_CHUNK, num_resamples - start)
        yield generator.multinomial(num_clips, np.full(num_clips, 1 / num_clips), size=size).astype(np.float64)


@dataclass(frozen=True)
class McNemar:
    """Stores McNemar's exact test of paired right and wrong answers.

    Attributes:
        only_first: Clips that only the first model gets right.
        only_second: Clips that only the second gets right.
        p_value: Two-sided, exact binomial.
    """

    only_first: int
    only_second: int
    p_value: float


def mcnemar(first: np.ndarray, second: np.ndarray, labels: np.ndarray) -> McNemar:
    """Compares class predictions ``(N,)`` of two models on the same clips (McNemar, 1947)."""
    right_1, right_2 = first == labels, second == labels
    only_1, only_2 = int((right_1 & ~right_2).sum()), int((right_2 & ~right_1).sum())
    p_value = scipy.stats.binomtest(only_1, only_1 + only_2).pvalue if only_1 + only_2 else 1.0
    return McNemar(only_1, only_2, float(p_value))
