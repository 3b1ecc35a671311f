"""Merging the scores of one clip's test views."""

from __future__ import annotations

import numpy as np
from scipy.special import softmax


def average_class_scores(view_logits: np.ndarray) -> np.ndarray:
    """Softmax per view, then the mean over views, so that no view outweighs another by the scale of its logits.

    Args:
        view_logits: ``(..., V, C)`` logits of V views.

    Returns:
        ``(..., C)`` probabilities.
    """
    probabilities: np.ndarray = softmax(np.asarray(view_logits, dtype=np.float64), axis=-1).mean(axis=-2)
    return probabilities


def average_values(view_values: np.ndarray) -> np.ndarray:
    """Plain mean over views.

    Args:
        view_values: ``(..., V, D)`` regressed values of V views.

    Returns:
        ``(..., D)`` values.
    """
    values: np.ndarray = np.asarray(view_values, dtype=np.float64).mean(axis=-2)
    return values
