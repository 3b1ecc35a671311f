from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.evaluation.functional import (
    average_class_scores,
    class_recalls,
    classification_measures,
    confusion_matrix,
    top_k_accuracy,
    unweighted_average_recall,
    weighted_average_recall,
)

LABELS = np.array([0, 0, 0, 1, 1, 2])
PREDICTIONS = np.array([0, 0, 1, 1, 0, 2])


def one_hot(predictions: np.ndarray, num_classes: int) -> np.ndarray:
    return np.eye(num_classes)[predictions]


def test_confusion_matrix_has_labels_in_rows():
    expected = [[2, 1, 0], [1, 1, 0], [0, 0, 1]]
    assert confusion_matrix(PREDICTIONS, LABELS, 3).tolist() == expected


def test_measures_by_hand():
    measures = classification_measures(one_hot(PREDICTIONS, 3), LABELS, topk=(1,))
    assert measures['UAR'] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert measures['WAR'] == pytest.approx(4 / 6)
    assert measures['macro_f1'] == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert measures['weighted_f1'] == pytest.approx((3 * 2 / 3 + 2 * 1 / 2 + 1) / 6)
    assert measures['micro_f1'] == pytest.approx(4 / 6)
    assert measures['top1'] == pytest.approx(4 / 6)


def test_class_without_label_is_left_out_of_the_mean():
    confusion = confusion_matrix(PREDICTIONS, LABELS, 4)
    assert np.isnan(class_recalls(confusion)[3])
    assert unweighted_average_recall(confusion) == pytest.approx((2 / 3 + 1 / 2 + 1) / 3)
    assert weighted_average_recall(confusion) == pytest.approx(4 / 6)


def test_top_k():
    scores = np.array([[0.5, 0.3, 0.2], [0.1, 0.5, 0.4], [0.6, 0.3, 0.1]])
    labels = np.array([1, 2, 2])
    assert top_k_accuracy(scores, labels, 1) == 0
    assert top_k_accuracy(scores, labels, 2) == pytest.approx(2 / 3)
    assert top_k_accuracy(scores, labels, 5) == 1
    assert top_k_accuracy(scores[:, :2], np.array([1, 1, 0]), 1) == pytest.approx(2 / 3)


def test_views_are_averaged_after_softmax():
    logits = np.array([[[0.0, 10.0], [np.log(3.0), 0.0]]])  # (1, V=2, C=2)
    expected = [[(1 / (1 + np.e**10) + 0.75) / 2, (np.e**10 / (1 + np.e**10) + 0.25) / 2]]
    np.testing.assert_allclose(average_class_scores(logits), expected, rtol=1e-12)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r'label 3 of sample 5 is out of range: expected 0 to 2'):
        confusion_matrix(PREDICTIONS, np.array([0, 0, 0, 1, 1, 3]), 3)
    with pytest.raises(ValueError, match='no label given'):
        confusion_matrix(np.array([0]), np.array([], dtype=int), 3)
    with pytest.raises(ValueError, match='must be integers'):
        confusion_matrix(PREDICTIONS, LABELS.astype(float), 3)
