"""UAR, WAR, F1 scores, top-k, AUC, per-class recall and the confusion matrix of a run."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from hicmae_mm.evaluation.functional.classification import (
    area_under_curve,
    class_recalls,
    classification_measures,
    confusion_matrix,
)
from hicmae_mm.evaluation.functional.recordings import merge_recordings
from hicmae_mm.evaluation.metrics.base import PerSampleMetric, describe, identity, read_scores
from hicmae_mm.registry import METRICS


@METRICS.register_module()
class ClassificationMetric(PerSampleMetric):
    """Reads ``pred_score (C,)`` and ``gt_label (1,)`` of every clip.

    Result keys: ``UAR``, ``WAR``, ``weighted_f1``, ``micro_f1``, ``macro_f1`` and ``top{k}``, each in 0 to 1. Per-class
    recall and the confusion matrix go to the log.

    Args:
        topk: The k of the ``top{k}`` keys.
        classwise: Also returns ``recall/{class}`` for every class that occurs.
        auc: Also returns ``AUC``, one class against the rest, averaged over the classes that occur.
        group_pattern: Measures recordings instead of clips (AVCAFFE): a regular expression with one group, searched in
            ``sample_id``. Clips for which the group is the same are one recording, their scores are averaged.
        prefix: Put before every key as ``prefix/key``.

    Raises:
        ValueError: If a k is not positive, or ``group_pattern`` is no regular expression with one group.

    Example:
        >>> import torch
        >>> from hicmae_mm.evaluation import ClassificationMetric
        >>> metric = ClassificationMetric(topk=())
        >>> guesses = [(0, 0), (0, 0), (1, 0), (1, 1)]  # label and highest score
        >>> samples = [
        ...     dict(sample_idx=i, sample_id=str(i), gt_label=label, pred_score=torch.eye(2)[guess])
        ...     for i, (label, guess) in enumerate(guesses)
        ... ]
        >>> metric.process({}, samples)
        >>> measures = metric.evaluate(size=4)
        >>> measures['UAR'], measures['WAR']
        (0.75, 0.75)
    """

    def __init__(
        self,
        topk: Sequence[int] = (5,),
        classwise: bool = False,
        auc: bool = False,
        group_pattern: str | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(prefix=prefix)
        if any(k < 1 for k in topk):
            raise ValueError(f'topk must hold positive numbers, got {tuple(topk)}')
        self.topk = tuple(topk)
        self.classwise = classwise
        self.auc = auc
        self.group_pattern = None if group_pattern is None else compile_group_pattern(group_pattern)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, Any]]) -> None:  # noqa: ARG002 (MMEngine's signature)
        """Keeps score and label of every clip.

        Raises:
            ValueError: If a clip lacks either, or its label is not a class of the model.
        """
        for sample in data_samples:
            score, label = read_scores(sample)
            self.results.append({'score': score, 'label': label, **identity(sample)})

    def compute_metrics(self, results: list[dict[str, Any]]) -> dict[str, float]:
        """Measures of all clips or recordings; logs recall per class and the confusion matrix."""
        scores, labels = self.scores_and_labels(results)
        confusion = confusion_matrix(scores.argmax(axis=1), labels, scores.shape[1])
        names = self.class_names(scores.shape[1])
        title = 'confusion matrix (row: label, column: prediction)'
        if self.group_pattern is not None:
            title += f' of {len(labels)} recordings, merged from {len(results)} clips'
        self.log_table(title, confusion_lines(confusion, names))
        measures = classification_measures(scores, labels, self.topk)
        if self.auc:
            measures['AUC'] = area_under_curve(scores, labels)
        if self.classwise:
            recalls = class_recalls(confusion)
            measures.update({f'recall/{name}': float(r) for name, r in zip(names, recalls) if np.isfinite(r)})
        return measures

    def scores_and_labels(self, results: list[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Returns scores ``(N, C)`` and labels ``(N,)`` of clips, or of recordings with ``group_pattern``.

        Args:
            results: Results that :meth:`process` keeps, every clip once.

        Raises:
            ValueError: If samples differ in their number of classes, or as in
                :func:`~hicmae_mm.evaluation.functional.recordings.merge_recordings`.
        """
        for result in results:
            if len(result['score']) != len(results[0]['score']):
                raise ValueError(
                    f'samples differ in their number of classes: {describe(result)} has {len(result["score"])}, '
                    f'{describe(results[0])} has {len(results[0]["score"])}'
                )
        scores = np.stack([result['score'] for result in results])
        labels = np.array([result['label'] for result in results])
        if self.group_pattern is None:
            return scores, labels
        sample_ids = [str(result['sample_id']) for result in results]
        return merge_recordings(sample_ids, scores, labels, self.group_pattern)[1:]


def compile_group_pattern(pattern: str) -> re.Pattern[str]:
    """Compiles the regular expression that finds a clip's recording.

    Raises:
        ValueError: If it is none, or does not have exactly one group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise ValueError(f'group_pattern {pattern!r} is not a regular expression: {error}') from error
    if compiled.groups != 1:
        raise ValueError(
            f'group_pattern {pattern!r} must have one group, the name of the recording, got {compiled.groups}; '
            r"such as r'^(.+)_\d+\.mp4$'; (?:...) does not count as one"
        )
    return compiled


def confusion_lines(confusion: np.ndarray, names: Sequence[str]) -> list[str]:
    """Returns a plain-text table of counts ``(C, C)`` with the recall of every class at the end of its row."""
    width = max(6, *(len(str(name)) for name in names), len(str(confusion.max())) + 1)
    lines = [' '.join([' ' * width, *(f'{name:>{width}}' for name in names), f'{"recall":>{width}}'])]
    for name, row, recall in zip(names, confusion, class_recalls(confusion)):
        share = f'{recall:>{width}.4f}' if np.isfinite(recall) else f'{"-":>{width}}'
        lines.append(' '.join([f'{name:>{width}}', *(f'{count:>{width}}' for count in row), share]))
    return lines
