"""Regression measures as pure functions of values ``(N, D)``; each returns one number per dimension ``(D,)``."""

from __future__ import annotations

import numpy as np


def check_values(predictions: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns both as float64 arrays ``(N, D)``; one-dimensional input becomes ``(N, 1)``.

    Raises:
        ValueError: If the shapes differ, there is no sample, or a value is not finite.
    """
    arrays = []
    for name, values in (('prediction', predictions), ('target', targets)):
        array = np.asarray(values, dtype=np.float64)
        array = array[:, None] if array.ndim == 1 else array
        if array.ndim != 2 or array.size == 0:
            raise ValueError(f'{name}s must be (samples, dimensions) with at least one sample, got {array.shape}')
        if not np.isfinite(array).all():
            row = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
            raise ValueError(f'{name} {array[row].tolist()} of sample {row} is not finite')
        arrays.append(array)
    if arrays[0].shape != arrays[1].shape:
        raise ValueError(f'predictions {arrays[0].shape} and targets {arrays[1].shape} must have one shape')
    return arrays[0], arrays[1]


def mean_absolute_error(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the MAE."""
    errors: np.ndarray = np.abs(predictions - targets).mean(axis=0)
    return errors


def unit_range_accuracy(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the ACC of dimensional emotion, ``mean(1 - |error|)``.

    It suits targets that span one unit, such as 0 to 1.
    """
    return 1 - mean_absolute_error(predictions, targets)


def mean_squared_error(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the MSE."""
    errors: np.ndarray = np.square(predictions - targets).mean(axis=0)
    return errors


def root_mean_squared_error(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the RMSE of each dimension. The reported mean is the mean of these, not the root of the mean MSE."""
    errors: np.ndarray = np.sqrt(mean_squared_error(predictions, targets))
    return errors


def pearson_correlation(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the PCC. It is 0 where one side is constant, since then nothing covaries."""
    x, y = predictions - predictions.mean(axis=0), targets - targets.mean(axis=0)
    scale = np.sqrt(np.square(x).sum(axis=0) * np.square(y).sum(axis=0))
    correlations: np.ndarray = np.divide((x * y).sum(axis=0), scale, out=np.zeros_like(scale), where=scale > 0)
    return correlations


def concordance_correlation(predictions: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Computes the CCC (Lin, 1989) of unbiased (co)variances: ``2 cov / (var_x + var_y + (mean_x - mean_y)^2)``.

    0 where both sides are constant and equal. The CCC *loss* uses biased moments, so ``1 - loss`` differs.
    """
    freedom = max(len(predictions) - 1, 1)
    x, y = predictions - predictions.mean(axis=0), targets - targets.mean(axis=0)
    covariance = (x * y).sum(axis=0) / freedom
    spread = (np.square(x).sum(axis=0) + np.square(y).sum(axis=0)) / freedom
    scale = spread + np.square(predictions.mean(axis=0) - targets.mean(axis=0))
    concordances: np.ndarray = np.divide(2 * covariance, scale, out=np.zeros_like(scale), where=scale > 0)
    return concordances


def regression_measures(predictions: np.ndarray, targets: np.ndarray) -> dict[str, np.ndarray]:
    """Computes every measure of one evaluation, per dimension.

    Args:
        predictions: ``(N, D)`` values, one row per clip (views already merged).
        targets: ``(N, D)`` values.

    Returns:
        ``ACC``, ``MAE``, ``MSE``, ``RMSE``, ``PCC`` and ``CCC``, each ``(D,)``.

    Raises:
        ValueError: If the shapes differ, there is no sample, or a value is not finite.
    """
    predictions, targets = check_values(predictions, targets)
    measures = {
        'ACC': unit_range_accuracy,
        'MAE': mean_absolute_error,
        'MSE': mean_squared_error,
        'RMSE': root_mean_squared_error,
        'PCC': pearson_correlation,
        'CCC': concordance_correlation,
    }
    return {name: measure(predictions, targets) for name, measure in measures.items()}
