"""Predictions that ``tools/test.py --out`` has written."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import mmengine
import numpy as np

from hicmae_mm.evaluation.metrics.base import describe, read_field, unique_samples

Samples = list[dict[str, Any]]


def read_predictions(path: str | Path) -> Samples:
    """Reads predictions, every clip once, in the order of the data set.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds something else, or nothing.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'{path} does not exist')
    try:
        samples = mmengine.load(path)
    except (pickle.UnpicklingError, EOFError, AttributeError, TypeError) as error:
        raise ValueError(f'{path} is not a file of predictions: {error}') from error
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise ValueError(f'{path} must hold a list of samples, as tools/test.py --out writes it')
    if not samples:
        raise ValueError(f'{path} holds no predictions')
    return unique_samples(samples)


def scores_and_labels(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Class scores ``(N, C)`` and labels ``(N,)``.

    Raises:
        ValueError: If a sample lacks either, or they differ in their number of classes.
    """
    scores = [read_field(sample, 'pred_score', 'the model must predict classes') for sample in samples]
    labels = [int(read_field(sample, 'gt_label', 'the test set needs labels').item()) for sample in samples]
    if len({len(score) for score in scores}) != 1:
        raise ValueError(f'samples differ in their number of classes, see {describe(samples[0])}')
    return np.stack(scores), np.array(labels)


def values_and_targets(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Predicted and annotated values, ``(N, D)`` each.

    Raises:
        ValueError: If a sample lacks either.
    """
    values = [read_field(sample, 'pred_values', 'the model must predict values').ravel() for sample in samples]
    targets = [read_field(sample, 'gt_values', 'the test set needs values').ravel() for sample in samples]
    return np.stack(values).astype(np.float64), np.stack(targets).astype(np.float64)
