"""Weighted F1, MSE and their combination: the measures of MER-MULTI."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hicmae_mm.evaluation.functional.mer import mer_score
from hicmae_mm.evaluation.functional.regression import regression_measures
from hicmae_mm.evaluation.metrics.classification import ClassificationMetric
from hicmae_mm.evaluation.metrics.regression import read_values
from hicmae_mm.registry import METRICS


@METRICS.register_module()
class MERMultiMetric(ClassificationMetric):
    """Reads ``pred_score (C,)``, ``gt_label (1,)``, ``pred_values (D,)`` and ``gt_values (D,)`` of every clip.

    Result keys: ``weighted_f1``, ``WAR`` and ``UAR`` of the classes, ``MSE`` of the values (mean over dimensions; the
    challenge has one, valence), and ``MER = weighted_f1 - 0.25 * MSE``. Per-class recall and the confusion matrix go to
    the log.

    Args:
        prefix: Put before every key as ``prefix/key``.
    """

    def __init__(self, prefix: str | None = None) -> None:
        super().__init__(topk=(), prefix=prefix)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:
        """Keeps scores, label and values of every clip.

        Raises:
            ValueError: If a clip lacks one of them, its label is not a class of the model, or its values are more or
                fewer than the model predicts.
        """
        values = [read_values(sample) for sample in data_samples]
        super().process(data_batch, data_samples)
        for result, (prediction, target) in zip(self.results[-len(values) :], values):
            result.update(prediction=prediction, target=target)

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Measures of all clips; logs recall per class and the confusion matrix."""
        classes = super().compute_metrics(results)
        predictions = np.stack([result['prediction'] for result in results])
        targets = np.stack([result['target'] for result in results])
        error = float(regression_measures(predictions, targets)['MSE'].mean())
        measures = {key: classes[key] for key in ('weighted_f1', 'WAR', 'UAR')}
        return {**measures, 'MSE': error, 'MER': mer_score(classes['weighted_f1'], error)}
