"""Classification measures as pure functions of labels ``(N,)`` and class indices ``(N,)`` or scores ``(N, C)``.

A class that does not occur among the labels has no recall: it is left out of the mean, not counted as zero.
scikit-learn is imported where it is used: it takes a second, which a start that measures nothing need not wait.
"""

from __future__ import annotations

import numpy as np


def check_labels(labels: np.ndarray, num_classes: int, name: str = 'label') -> np.ndarray:
    """Returns the labels as an integer array.

    Raises:
        ValueError: If there is none, or one lies outside ``0 .. num_classes - 1`` (its position is named).
    """
    array = np.asarray(labels)
    if array.size == 0:
        raise ValueError(f'no {name} given: a measure needs at least one sample')
    if not np.issubdtype(array.dtype, np.integer):
        raise ValueError(f'{name}s must be integers, got {array.dtype}')
    bad = np.flatnonzero((array < 0) | (array >= num_classes))
    if bad.size:
        raise ValueError(
            f'{name} {array[bad[0]]} of sample {bad[0]} is out of range: expected 0 to {num_classes - 1} '
            f'({num_classes} classes); check num_classes and the annotation file'
        )
    return array.astype(np.int64)


def confusion_matrix(predictions: np.ndarray, labels: np.ndarray, num_classes: int) -> np.ndarray:
    """Counts ``(C, C)``: row = label, column = prediction."""
    from sklearn import metrics

    predictions = check_labels(predictions, num_classes, 'prediction')
    labels = check_labels(labels, num_classes)
    counts: np.ndarray = metrics.confusion_matrix(labels, predictions, labels=np.arange(num_classes))
    return counts


def class_recalls(confusion: np.ndarray) -> np.ndarray:
    """Computes the recall of every class ``(C,)`` from counts ``(C, C)``; it is NaN for a class without a label."""
    support = confusion.sum(axis=1)
    recalls: np.ndarray = np.divide(np.diag(confusion), support, out=np.full(len(support), np.nan), where=support > 0)
    return recalls


def unweighted_average_recall(confusion: np.ndarray) -> float:
    """Computes the UAR, the mean recall of the classes that occur."""
    return float(np.nanmean(class_recalls(confusion)))


def weighted_average_recall(confusion: np.ndarray) -> float:
    """Computes the WAR, the recall weighted by class size, which is the accuracy."""
    return float(np.trace(confusion) / confusion.sum())


def f1_scores(predictions: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Computes the weighted, micro and macro F1 over the classes that occur among labels or predictions."""
    from sklearn import metrics

    return {
        f'{average}_f1': float(metrics.f1_score(labels, predictions, average=average, zero_division=0))
        for average in ('weighted', 'micro', 'macro')
    }


def top_k_accuracy(scores: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Computes the share of samples whose label is among the k highest scores ``(N, C)``; it is 1 where ``k >= C``."""
    from sklearn import metrics

    num_classes = scores.shape[1]
    labels = check_labels(labels, num_classes)
    if k >= num_classes:
        return 1.0
    if num_classes == 2:  # k = 1; scikit-learn wants one column for two classes
        return float((scores.argmax(axis=1) == labels).mean())
    return float(metrics.top_k_accuracy_score(labels, scores, k=k, labels=np.arange(num_classes)))


def area_under_curve(scores: np.ndarray, labels: np.ndarray) -> float:
    """Computes the AUC, the area under the ROC curve of every class against the rest, averaged over classes (macro).

    Args:
        scores: ``(N, C)`` class scores; only their order within a class matters.
        labels: ``(N,)`` class indices.

    Returns:
        Mean over the classes that have clips with and without them; NaN where there is none (all clips of one class).
    """
    from sklearn import metrics

    scores = np.asarray(scores)
    labels = check_labels(labels, scores.shape[1])
    is_class = labels[:, None] == np.arange(scores.shape[1])  # (N, C)
    measurable = np.flatnonzero(is_class.any(axis=0) & ~is_class.all(axis=0))
    if measurable.size == 0:
        return float('nan')
    return float(np.mean([metrics.roc_auc_score(is_class[:, index], scores[:, index]) for index in measurable]))


def classification_measures(scores: np.ndarray, labels: np.ndarray, topk: tuple[int, ...] = (5,)) -> dict[str, float]:
    """Computes every scalar measure of one evaluation.

    Args:
        scores: ``(N, C)`` class scores, one row per clip (views already merged).
        labels: ``(N,)`` class indices.
        topk: The k of the ``top{k}`` measures.

    Returns:
        ``UAR``, ``WAR``, ``weighted_f1``, ``micro_f1``, ``macro_f1`` and ``top{k}``, each in 0 to 1.
    """
    scores = np.asarray(scores)
    predictions = scores.argmax(axis=1)
    confusion = confusion_matrix(predictions, labels, scores.shape[1])
    return {
        'UAR': unweighted_average_recall(confusion),
        'WAR': weighted_average_recall(confusion),
        **f1_scores(predictions, labels),
        **{f'top{k}': top_k_accuracy(scores, labels, k) for k in topk},
    }
