"""Labels of unlabelled clips by a model that is sure of them (MER2023, MER-SEMI)."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np


class PseudoLabels(NamedTuple):
    """Lists the clips whose class a model predicts with high confidence.

    Attributes:
        rows: A row of a table for each clip.
        counts: Number of clips by class index.
        highest: Highest probability of any clip.
    """

    rows: list[dict[str, Any]]
    counts: Counter[int]
    highest: float


def pseudo_labels(dataset: Any, samples: Iterable[Mapping[str, Any]], threshold: float) -> PseudoLabels:
    """Labels the clips whose most probable class reaches the threshold.

    Args:
        dataset: The unlabelled data set, which says where the clips are.
        samples: Its predictions, with ``sample_idx`` and ``pred_score``. ``pred_values`` become labels as well.
        threshold: Smallest probability.

    Raises:
        ValueError: If a clip has no class scores.
    """
    rows: list[dict[str, Any]] = []
    counts: Counter[int] = Counter()
    highest = 0.0
    for sample in samples:
        if sample.get('pred_score') is None:
            raise ValueError(
                f'clip {sample.get("sample_id")!r} has no class scores; pseudo-labels need a model of classes'
            )
        scores = np.asarray(sample['pred_score'], dtype=np.float64).ravel()
        highest = max(highest, float(scores.max()))
        if scores.max() < threshold:
            continue
        label = int(scores.argmax())
        counts[label] += 1
        values = sample.get('pred_values')
        rows.append(_row(dataset.get_data_info(int(sample['sample_idx'])), label, values))
    return PseudoLabels(rows, counts, highest)


def _row(info: Mapping[str, Any], label: int, values: Any) -> dict[str, Any]:
    """Returns a row of a table. Paths are absolute, so that the list may be in any folder."""
    row: dict[str, Any] = {'sample_id': info['sample_id'], 'label': label}
    for name in ('video', 'audio'):
        path = info.get(f'{name}_path')
        if path:
            row[name] = str(Path(path).absolute())
    if values is not None:
        row['values'] = _numbers(values)
    if info.get('span') is not None:
        start, end = info['span']
        row |= {'start': start} | ({'end': end} if math.isfinite(end) else {})
    return {**(info.get('columns') or {}), **row}


def _numbers(values: Any) -> Sequence[float] | float:
    numbers: list[float] = np.asarray(values, dtype=np.float64).ravel().tolist()
    return numbers[0] if len(numbers) == 1 else numbers
