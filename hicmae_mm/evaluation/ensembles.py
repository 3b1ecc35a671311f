"""Predictions of several models of the same clips as those of one model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from hicmae_mm.evaluation.functional.views import average_fold_scores
from hicmae_mm.evaluation.metrics.base import describe, read_field, require_finite

Samples = list[dict[str, Any]]


def average_models(predictions: Sequence[Samples]) -> Samples:
    """Averages models that were trained on different folds: the logits of classes, and the values.

    Args:
        predictions: The clips of each model, in one order.

    Returns:
        The clips with ``pred_score``, ``pred_label`` and ``pred_values``, as far as the models predict them.

    Raises:
        ValueError: If there are no predictions, or one of the models has other clips, fields or classes.
    """
    if not predictions:
        raise ValueError('there are no predictions to average')
    identities = [
        [(sample.get('sample_idx'), sample.get('sample_id')) for sample in samples] for samples in predictions
    ]
    for number, others in enumerate(identities[1:], start=2):
        if others != identities[0]:
            raise ValueError(
                f'file {number} predicts other clips than file 1 ({len(others)} and {len(identities[0])}); '
                'test all models on the same list'
            )
    return [_average(parts) for parts in zip(*predictions)]


def _average(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Averages the predictions of all models for one clip."""
    merged = {key: value for key, value in parts[0].items() if not key.startswith('pred_')}
    for field in ('pred_score', 'pred_values'):
        if not any(field in part for part in parts):
            continue
        values = [require_finite(read_field(part, field, 'one of the models lacks it'), part, field) for part in parts]
        if len({value.shape for value in values}) > 1:
            raise ValueError(f'{field} of sample {describe(parts[0])} has other shapes: {[v.shape for v in values]}')
        stacked = np.stack(values)  # (F, C)
        if field == 'pred_score':
            merged[field] = torch.from_numpy(average_fold_scores(stacked))
            merged['pred_label'] = merged[field].argmax(dim=-1, keepdim=True)
        else:
            merged[field] = torch.from_numpy(stacked.mean(axis=0))
    return merged
