"""Predictions that ``tools/test.py --out`` has written: a list with a dictionary per clip, in a file without code."""

from __future__ import annotations

import json
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hicmae_mm.evaluation.metrics.base import (
    describe,
    read_field,
    read_scores,
    require_finite,
    unique_samples,
)
from hicmae_mm.evaluation.plain_pickle import read_plain
from hicmae_mm.utils.files import read_regular, replaced_file, write_text

Samples = list[dict[str, Any]]
PICKLES = ('.pkl', '.pickle')
_MOST_BYTES = 1 << 29


def write_predictions(path: Path, samples: Sequence[Mapping[str, Any]]) -> None:
    """Writes predictions as plain values and numpy arrays (``.pkl``, ``.pickle``), or as text (``.json``)."""
    plain = [as_plain(sample) for sample in samples]
    if path.suffix == '.json':
        write_text(path, json.dumps(plain, default=lambda array: array.tolist(), indent=1) + '\n')
        return
    with replaced_file(path) as partial:
        partial.write_bytes(pickle.dumps(plain, protocol=4))


def as_plain(value: Any) -> Any:
    """Tensors as arrays; what is neither plain nor an array as text."""
    if isinstance(value, Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype == torch.bfloat16 else value).numpy().copy()
    if isinstance(value, Mapping):
        return {str(key): as_plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [as_plain(item) for item in value]
    if isinstance(value, np.generic):
        return value.item()
    return value if value is None or isinstance(value, (bool, int, float, str, np.ndarray)) else str(value)


def read_predictions(path: str | Path) -> Samples:
    """Reads predictions, every clip once, in the order of the data set. Nothing that the file holds is run.

    Files that version 0.1 wrote, pickles with tensors, are read as well.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file holds something else, or nothing, or contradicts itself about a clip.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f'{path} does not exist')
    content = read_regular(path, _MOST_BYTES)
    try:
        samples = json.loads(content) if path.suffix == '.json' else read_plain(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f'{path} is not a file of predictions: {error}') from error
    if not isinstance(samples, list) or not all(isinstance(sample, dict) for sample in samples):
        raise ValueError(f'{path} must hold a list of samples, as tools/test.py --out writes it')
    if not samples:
        raise ValueError(f'{path} holds no predictions')
    try:
        samples = [{name: _as_tensor(name, value) for name, value in sample.items()} for sample in samples]
        _check_identities(samples)
        return unique_samples(samples)
    except ValueError as error:
        raise ValueError(f'{path}: {error}') from error


def _as_tensor(name: str, value: Any) -> Any:
    """Arrays as tensors, also where they were written as lists."""
    if isinstance(value, list) and name.startswith(('pred_', 'gt_')):
        try:
            value = np.array(value, dtype=np.int64 if name.endswith('_label') else np.float64)
        except (TypeError, ValueError, OverflowError):
            raise ValueError(f'{name} must hold numbers, got {str(value)[:60]}') from None
    if isinstance(value, np.ndarray):
        return torch.from_numpy(value.astype(value.dtype.newbyteorder('='), copy=False))
    return value


def _check_identities(samples: Samples) -> None:
    """Raises ValueError unless every clip is known by its name and place, and predicted in one way."""
    places: dict[int, dict[str, Any]] = {}
    for position, sample in enumerate(samples):
        index = sample.get('sample_idx')
        if (index is None) != (samples[0].get('sample_idx') is None):
            raise ValueError(f'clip {describe(sample)} (position {position}) differs from others in having sample_idx')
        if index is None:
            continue
        if isinstance(index, bool) or not isinstance(index, int) or index < 0:
            raise ValueError(f'clip {describe(sample)} has sample_idx {str(index)[:60]}; expected a place, from 0')
        other = places.setdefault(index, sample)
        if other.get('sample_id') != sample.get('sample_id'):
            raise ValueError(f'clips {describe(other)} and {describe(sample)} have the same sample_idx {index}')
        if any(not _are_equal(other.get(name), sample.get(name)) for name in ('pred_score', 'pred_values', 'gt_label')):
            raise ValueError(f'clip {describe(sample)} occurs twice, with other predictions')


def _are_equal(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.shape == second.shape and bool(torch.isclose(first, second, equal_nan=True).all())
    return type(first) is type(second) and bool(first == second)


def scores_and_labels(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Class scores ``(N, C)`` and labels ``(N,)``.

    Raises:
        ValueError: If a sample lacks either, a score is not finite, a label is no class, or samples differ in their
            number of classes.
    """
    pairs = [read_scores(sample) for sample in samples]
    for sample, (score, _) in zip(samples, pairs):
        if len(score) != len(pairs[0][0]):
            raise ValueError(
                f'samples differ in their number of classes: {describe(sample)} has {len(score)}, '
                f'{describe(samples[0])} has {len(pairs[0][0])}'
            )
    return np.stack([score for score, _ in pairs]), np.array([label for _, label in pairs])


def values_and_targets(samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """Returns predicted and annotated values, ``(N, D)`` each.

    Raises:
        ValueError: If a sample lacks either, one is not finite, or samples differ in their number of values.
    """
    found = []
    for name, fix in (('pred_values', 'the model must predict values'), ('gt_values', 'the test set needs values')):
        rows = [require_finite(read_field(sample, name, fix).ravel(), sample, name) for sample in samples]
        for sample, row in zip(samples, rows):
            if len(row) != len(rows[0]):
                raise ValueError(f'sample {describe(sample)} has {len(row)} {name}, others have {len(rows[0])}')
        found.append(np.stack(rows).astype(np.float64))
    return found[0], found[1]
