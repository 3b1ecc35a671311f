"""Merging the scores of one clip's test views."""

from __future__ import annotations

import numpy as np
import scipy


def average_class_scores(view_logits: np.ndarray) -> np.ndarray:
    """Averages the softmax scores of all views, so that no view outweighs another by the scale of its logits.

    Args:
        view_logits: ``(..., V, C)`` logits of V views.

    Returns:
        ``(..., C)`` probabilities.
    """
    probabilities: np.ndarray = scipy.special.softmax(np.asarray(view_logits, dtype=np.float64), axis=-1).mean(axis=-2)
    return probabilities


def average_values(view_values: np.ndarray) -> np.ndarray:
    """Averages over views.

    Args:
        view_values: ``(..., V, D)`` regressed values of V views.

    Returns:
        ``(..., D)`` values.
    """
    values: np.ndarray = np.asarray(view_values, dtype=np.float64).mean(axis=-2)
    return values


def average_fold_scores(scores: np.ndarray) -> np.ndarray:
    """Averages the logits of models of several folds, as MER2023's baseline merges them.

    Probabilities will do for logits: their logarithms differ from the logits by a number per clip and fold, which
    changes no softmax of the mean.

    Args:
        scores: ``(F, ..., C)`` probabilities of F folds.

    Returns:
        ``(..., C)`` probabilities.
    """
    smallest = np.finfo(np.float32).tiny
    logits = np.log(np.maximum(np.asarray(scores, dtype=np.float64), smallest)).mean(axis=0)
    probabilities: np.ndarray = scipy.special.softmax(logits, axis=-1)
    return probabilities
