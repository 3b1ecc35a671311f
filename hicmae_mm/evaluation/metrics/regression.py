"""ACC, MAE, MSE, RMSE, PCC and CCC of a run, and accuracies of sentiment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from hicmae_mm.evaluation.functional.regression import regression_measures
from hicmae_mm.evaluation.functional.sentiment import check_scale, sentiment_measures
from hicmae_mm.evaluation.metrics.base import PerSampleMetric, describe, identity, read_field, require_finite
from hicmae_mm.registry import METRICS


@METRICS.register_module()
class RegressionMetric(PerSampleMetric):
    """Reads ``pred_values (D,)`` and ``gt_values (D,)`` of every clip.

    Result keys: ``ACC``, ``MAE``, ``MSE``, ``RMSE``, ``PCC`` and ``CCC``, each the mean over dimensions, and
    ``{key}/{dimension}`` where there are several. Dimensions are named by the data set's ``dimensions``, else numbered.

    Args:
        prefix: Put before every key as ``prefix/key``.
        sentiment: ``'mosi'`` (-3 to 3, also for MOSEI) or ``'sims'`` (-1 to 1) adds what papers on these corpora
            report: ``ACC2`` and ``F1``, and for ``'mosi'`` ``ACC2_nonzero``, ``F1_nonzero``, ``ACC5`` and ``ACC7``, for
            ``'sims'`` ``ACC3`` and ``ACC5``; :mod:`hicmae_mm.evaluation.functional.sentiment` defines them.

    Raises:
        ValueError: If the scale of the sentiment is unknown.

    Example:
        >>> import torch
        >>> from hicmae_mm.evaluation import RegressionMetric
        >>> metric = RegressionMetric()
        >>> pairs = [(0.0, 0.5), (1.0, 0.5), (2.0, 2.0)]
        >>> samples = [
        ...     dict(sample_idx=i, sample_id=str(i), gt_values=torch.tensor([true]), pred_values=torch.tensor([guess]))
        ...     for i, (true, guess) in enumerate(pairs)
        ... ]
        >>> metric.process({}, samples)
        >>> round(metric.evaluate(size=3)['MAE'], 4)
        0.3333
    """

    def __init__(self, prefix: str | None = None, sentiment: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.sentiment = None if sentiment is None else check_scale(sentiment)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002 (MMEngine's signature)
        """Keeps prediction and target of every clip.

        Raises:
            ValueError: If a clip lacks either, or they differ in length.
        """
        for sample in data_samples:
            prediction, target = read_values(sample)
            self.results.append({'prediction': prediction, 'target': target, **identity(sample)})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Measures of all clips: the mean over dimensions, then every dimension."""
        predictions = np.stack([result['prediction'] for result in results])
        targets = np.stack([result['target'] for result in results])
        measures = regression_measures(predictions, targets)
        means = {key: float(values.mean()) for key, values in measures.items()}
        if self.sentiment is not None:
            means.update(sentiment_measures(predictions, targets, self.sentiment))
        if predictions.shape[1] == 1:
            return means
        names = self.dimension_names(predictions.shape[1])
        for key, values in measures.items():
            means.update({f'{key}/{name}': float(value) for name, value in zip(names, values)})
        return means

    def dimension_names(self, num_dimensions: int) -> list[str]:
        """Returns the data set's ``dimensions`` if it names each, else the indices."""
        names = (self.dataset_meta or {}).get('dimensions') or ()
        return list(names) if len(names) == num_dimensions else [str(index) for index in range(num_dimensions)]


def read_values(sample: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """Returns predicted and true values ``(D,)`` of a clip.

    Raises:
        ValueError: If the clip lacks either, or they differ in length.
    """
    fix = 'testing needs an annotation file with values'
    prediction = read_field(sample, 'pred_values', 'the model must predict values').ravel()
    target = read_field(sample, 'gt_values', fix).ravel()
    if len(prediction) != len(target):
        raise ValueError(
            f'sample {describe(sample)} has {len(target)} values, the model predicts {len(prediction)}; '
            "check the head's number of dimensions and the annotation file"
        )
    return require_finite(prediction, sample, 'pred_values'), require_finite(target, sample, 'gt_values')
