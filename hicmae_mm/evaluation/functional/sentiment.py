"""Measures of sentiment that papers on CMU-MOSI, CMU-MOSEI and CH-SIMS report, as pure functions of values ``(N,)``."""

from __future__ import annotations

import numpy as np

from hicmae_mm.evaluation.functional.classification import f1_scores
from hicmae_mm.evaluation.functional.regression import check_values

# largest absolute sentiment of each scale
LIMITS = {'mosi': 3.0, 'sims': 1.0}
# upper edges of the classes, each of which belongs to the class below it
SIMS_EDGES = {2: (0.0,), 3: (-0.1, 0.1), 5: (-0.7, -0.1, 0.1, 0.7)}


def check_scale(scale: str) -> str:
    """Returns the name of a scale.

    Raises:
        ValueError: If it is neither ``'mosi'`` nor ``'sims'``.
    """
    if scale not in LIMITS:
        raise ValueError(f"sentiment must be 'mosi' (-3 to 3) or 'sims' (-1 to 1), got {scale!r}")
    return scale


def sentiment_measures(predictions: np.ndarray, targets: np.ndarray, scale: str) -> dict[str, float]:
    """Computes accuracies and weighted F1 of sentiment.

    Values are compared as float32, so that 0.1 in a list is the edge 0.1.

    Args:
        predictions: ``(N,)`` values; those beyond the scale count as its end.
        targets: ``(N,)`` values within the scale.
        scale: ``'mosi'``, -3 to 3, also that of MOSEI, or ``'sims'``, -1 to 1.

    Returns:
        ``ACC2`` and ``F1`` for both scales, ``ACC2_nonzero``, ``F1_nonzero``, ``ACC5`` and ``ACC7`` for ``'mosi'``,
        ``ACC3`` and ``ACC5`` for ``'sims'``; each in 0 to 1. See :func:`mosi_measures` and :func:`sims_measures`.

    Raises:
        ValueError: If the scale is unknown, the shapes differ, a value is not finite or there is more than one per
            sample, a target is beyond the scale, or all targets of ``'mosi'`` are 0.
    """
    limit = LIMITS[check_scale(scale)]
    predictions, targets = (values.astype(np.float32) for values in check_values(predictions, targets))
    if targets.shape[1] != 1:
        raise ValueError(f'sentiment is one value per clip, got {targets.shape[1]}; leave sentiment out for several')
    beyond = np.flatnonzero(np.abs(targets[:, 0]) > limit)
    if beyond.size:
        raise ValueError(
            f'target {targets[beyond[0], 0]} of sample {beyond[0]} is beyond {-limit} to {limit} of '
            f'sentiment={scale!r}; choose the scale of the corpus, or correct the list'
        )
    measure = mosi_measures if scale == 'mosi' else sims_measures
    return measure(predictions[:, 0], targets[:, 0])


def mosi_measures(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Computes the measures of MOSI and MOSEI.

    ``ACC2`` and ``F1`` tell negative from not negative: 0 is not negative. ``ACC2_nonzero`` and ``F1_nonzero`` tell
    positive from negative over the clips whose target is not 0; a prediction of 0 counts as negative. ``ACC7`` compares
    the nearest integers from -3 to 3, ``ACC5`` those from -2 to 2; halves go to the even integer.

    Raises:
        ValueError: If all targets are 0.
    """
    kept = targets != 0
    if not kept.any():
        raise ValueError('every target is 0, so no clip is positive or negative; leave sentiment out for such a list')
    with_zero = two_classes(predictions >= 0, targets >= 0)
    nonzero = two_classes(predictions[kept] > 0, targets[kept] > 0)
    integers = {f'ACC{2 * end + 1}': integer_accuracy(predictions, targets, end) for end in (2, 3)}
    return {**with_zero, **{f'{key}_nonzero': value for key, value in nonzero.items()}, **integers}


def sims_measures(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Computes the measures of SIMS: ``ACC2`` and ``F1`` (0 is negative), ``ACC3`` and ``ACC5``.

    The upper edges of the classes are 0 for two, -0.1 and 0.1 for three, and also -0.7 and 0.7 for five. A value on an
    edge is in the class below it.
    """
    edges_by_number = {number: np.array(edges, dtype=np.float32) for number, edges in SIMS_EDGES.items()}
    classes = {
        number: [np.digitize(values, edges, right=True) for values in (predictions, targets)]
        for number, edges in edges_by_number.items()
    }
    accuracies = {f'ACC{number}': float((guess == true).mean()) for number, (guess, true) in classes.items()}
    return {**accuracies, 'F1': f1_scores(*classes[2])['weighted_f1']}


def two_classes(predictions: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Computes ``ACC2`` and the weighted ``F1`` of booleans ``(N,)``."""
    return {'ACC2': float((predictions == targets).mean()), 'F1': f1_scores(predictions, targets)['weighted_f1']}


def integer_accuracy(predictions: np.ndarray, targets: np.ndarray, end: int) -> float:
    """Computes the share of samples whose nearest integers from ``-end`` to ``end`` are equal."""
    guess, true = (np.round(np.clip(values, -end, end)) for values in (predictions, targets))
    return float((guess == true).mean())
