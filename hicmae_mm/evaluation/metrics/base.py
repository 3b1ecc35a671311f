"""Defines the base class of metrics: every sample counts once, on any number of ranks."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import torch
from mmengine.dist import all_gather_object
from mmengine.evaluator import BaseMetric
from mmengine.logging import MMLogger, print_log

MOST_CLASSES = 10_000  # tables have as many rows and columns


class PerSampleMetric(BaseMetric):
    """Gathers the whole result list of every rank, drops repeated samples and restores the order of the data set.

    MMEngine interleaves the ranks' lists and cuts them at the data set's size, which loses samples when the lists
    differ in length (skipped clips). Here ``sample_idx`` decides, so the outcome equals that of one process bit for
    bit. Every rank computes the measures, so that an error ends all of them instead of leaving the others waiting.

    Args:
        prefix: Put before every key as ``prefix/key``.
    """

    default_prefix = ''

    def __init__(self, prefix: str | None = None) -> None:
        super().__init__(collect_device='cpu', prefix=prefix)

    def evaluate(self, size: int) -> dict[str, float]:
        """Computes the measures over all ranks' samples.

        Args:
            size: Samples in the data set.

        Raises:
            ValueError: If no rank has seen a sample.
        """
        results = unique_samples([result for part in all_gather_object(self.results) for result in part])
        self.results.clear()
        if not results:
            raise ValueError(
                f'{type(self).__name__} has no sample to evaluate: the data set ({size} entries) is empty, or every '
                'sample was skipped'
            )
        if len(results) < size:
            print_log(f'only {len(results)} of {size} samples were evaluated', 'current', logging.WARNING)
        measures = self.compute_metrics(results)
        return {f'{self.prefix}/{key}' if self.prefix else key: value for key, value in measures.items()}

    def class_names(self, num_classes: int) -> list[str]:
        """Returns the ``classes`` of the data set, or the indices if it names none."""
        classes = (self.dataset_meta or {}).get('classes')
        return list(classes) if classes is not None else [str(index) for index in range(num_classes)]

    @staticmethod
    def log_table(title: str, lines: list[str]) -> None:
        """Writes a table to the run's log (the logger keeps quiet on every rank but the first)."""
        MMLogger.get_current_instance().info('\n'.join([title, *lines]))


def unique_samples(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Keeps the first result of every ``(sample_idx, sample_id)``, sorted by them.

    Samplers pad the last round by repeating samples; those must not count twice. Results without ``sample_idx`` are
    returned as they are.
    """
    if any(result.get('sample_idx') is None for result in results):
        return results
    unique: dict[tuple[int, str], dict[str, Any]] = {}
    for result in results:
        unique.setdefault((int(result['sample_idx']), str(result.get('sample_id', ''))), result)
    return [unique[key] for key in sorted(unique)]


def read_field(sample: dict[str, Any], name: str, fix: str) -> np.ndarray:
    """Takes a field of a prediction as an array.

    Raises:
        ValueError: If the sample lacks it; the sample and the fix are named.
    """
    value = sample.get(name)
    if value is None:
        raise ValueError(f'sample {describe(sample)} has no {name}: {fix}')
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def require_finite(values: np.ndarray, sample: dict[str, Any], name: str) -> np.ndarray:
    """Numbers of a sample, as float64.

    Raises:
        ValueError: If they are no numbers, or one is NaN or infinite; the sample is named.
    """
    if values.dtype.kind not in 'biuf':
        raise ValueError(f'{name} of sample {describe(sample)} must hold numbers, got {str(values)[:60]}')
    if not np.isfinite(values).all():
        raise ValueError(
            f'{name} of sample {describe(sample)} is not finite ({values.ravel()[~np.isfinite(values.ravel())][0]}): '
            'check the weights and the clip'
        )
    return values.astype(np.float64)


def read_scores(sample: dict[str, Any]) -> tuple[np.ndarray, int]:
    """Class scores ``(C,)`` and label of a clip.

    Raises:
        ValueError: If the clip lacks either, a score is not finite, or the label is not a class of the model.
    """
    score = read_field(sample, 'pred_score', 'the model must predict class scores').ravel()
    if not 0 < len(score) <= MOST_CLASSES:
        raise ValueError(f'sample {describe(sample)} has scores of {len(score)} classes, expected 1 to {MOST_CLASSES}')
    score = require_finite(score, sample, 'pred_score')
    found = read_field(sample, 'gt_label', 'testing needs an annotation file with labels')
    if found.size != 1 or found.dtype.kind not in 'iu':
        raise ValueError(f'gt_label of sample {describe(sample)} must be one class index, got {str(found)[:60]}')
    label = int(found.item())
    if not 0 <= label < len(score):
        raise ValueError(
            f'label {label} of sample {describe(sample)} is out of range: the model has {len(score)} classes, '
            f'expected 0 to {len(score) - 1}; check num_classes and the annotation file'
        )
    return score, label


def describe(sample: dict[str, Any]) -> str:
    """Returns the name of a sample for error messages."""
    return repr(sample.get('sample_id', sample.get('sample_idx', 'without sample_id')))


def identity(sample: dict[str, Any]) -> dict[str, Any]:
    """Returns the keys by which :func:`unique_samples` distinguishes samples."""
    return {'sample_idx': sample.get('sample_idx'), 'sample_id': sample.get('sample_id', '')}
