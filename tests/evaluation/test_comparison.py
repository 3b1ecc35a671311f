from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.evaluation.comparison import accuracy, concordance, mcnemar, paired_bootstrap, unweighted_recall
from hicmae_mm.evaluation.functional import (
    concordance_correlation,
    confusion_matrix,
    unweighted_average_recall,
    weighted_average_recall,
)

N, C = 60, 4


@pytest.fixture
def labels() -> np.ndarray:
    return np.random.default_rng(0).integers(0, C, N)


def guesses(labels: np.ndarray, right: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return np.where(generator.random(N) < right, labels, generator.integers(0, C, N))


def test_weighted_measures_are_those_of_repeated_clips(labels: np.ndarray) -> None:
    predictions, generator = guesses(labels, 0.5, 1), np.random.default_rng(2)
    values, targets = generator.normal(size=N), generator.normal(size=N)
    weights = generator.multinomial(N, np.full(N, 1 / N), size=5).astype(float)
    weights[0, labels == 2] = 0  # a class that does not occur
    recalls, shares = (measure(predictions, labels)(weights) for measure in (unweighted_recall, accuracy))
    correlations = concordance(values, targets)(weights)
    for row in range(5):
        drawn = np.repeat(np.arange(N), weights[row].astype(int))
        confusion = confusion_matrix(predictions[drawn], labels[drawn], C)
        assert recalls[row] == pytest.approx(unweighted_average_recall(confusion), abs=1e-12)
        assert shares[row] == pytest.approx(weighted_average_recall(confusion), abs=1e-12)
        expected = concordance_correlation(values[drawn, None], targets[drawn, None])[0]
        assert correlations[row] == pytest.approx(expected, abs=1e-12)


def test_bootstrap_equals_a_loop(labels: np.ndarray) -> None:
    first, second = guesses(labels, 0.4, 1), guesses(labels, 0.6, 2)
    result = paired_bootstrap(accuracy(first, labels), accuracy(second, labels), N, num_resamples=300, seed=5)
    generator, differences = np.random.default_rng(5), []
    for _ in range(300):
        drawn = np.repeat(np.arange(N), generator.multinomial(N, np.full(N, 1 / N)))
        differences.append((second[drawn] == labels[drawn]).mean() - (first[drawn] == labels[drawn]).mean())
    assert (result.low, result.high) == pytest.approx(tuple(np.quantile(differences, [0.025, 0.975])))
    assert result.first == pytest.approx((first == labels).mean())
    assert result.second == pytest.approx((second == labels).mean())


def test_equal_and_very_different_models(labels: np.ndarray) -> None:
    same = paired_bootstrap(unweighted_recall(labels, labels), unweighted_recall(labels, labels), N, 200)
    assert (same.low, same.high, same.p_value) == (0.0, 0.0, 1.0)
    wrong = (labels + 1) % C
    apart = paired_bootstrap(unweighted_recall(wrong, labels), unweighted_recall(labels, labels), N, 200)
    assert (apart.first, apart.second, apart.p_value) == (0.0, 1.0, 0.0)


def test_mcnemar_is_the_exact_binomial() -> None:
    labels = np.zeros(20, dtype=int)
    first, second = labels.copy(), labels.copy()
    first[:9] = 1  # nine clips that only the second gets right
    second[9] = 1
    result = mcnemar(first, second, labels)
    assert (result.only_first, result.only_second) == (1, 9)
    assert result.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert mcnemar(labels, labels, labels).p_value == 1.0
