from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import f1_score, roc_auc_score

from hicmae_mm.evaluation.functional import (
    area_under_curve,
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


def test_area_under_curve_by_hand():
    scores = np.array([[0.9, 0.1], [0.6, 0.4], [0.7, 0.3], [0.2, 0.8]])
    labels = np.array([0, 0, 1, 1])
    # class 0 against the rest: of the pairs (0.9, 0.6) x (0.7, 0.2) three are in order; class 1 mirrors it
    assert area_under_curve(scores, labels) == pytest.approx(3 / 4)
    assert area_under_curve(np.full((4, 2), 0.5), labels) == pytest.approx(1 / 2)  # ties count half


def test_area_under_curve_equals_the_share_of_ordered_pairs_and_scikit_learn():
    noise = np.random.default_rng(0)
    labels = noise.integers(0, 43, 300)
    scores = noise.dirichlet(np.ones(43), 300) + 0.1 * np.eye(43)[labels]
    scores /= scores.sum(axis=1, keepdims=True)
    areas = []
    for index in range(43):
        inside, outside = scores[labels == index, index], scores[labels != index, index]
        pairs = [float(a > b) + 0.5 * float(a == b) for a in inside for b in outside]
        areas.append(sum(pairs) / len(pairs))
    assert area_under_curve(scores, labels) == pytest.approx(np.mean(areas))
    assert area_under_curve(scores, labels) == pytest.approx(roc_auc_score(labels, scores, multi_class='ovr'))


def test_area_under_curve_leaves_out_what_has_no_clips_with_or_without_it():
    scores = np.array([[0.9, 0.1, 0.0], [0.6, 0.4, 0.0], [0.7, 0.3, 0.0], [0.2, 0.8, 0.0]])
    assert area_under_curve(scores, np.array([0, 0, 1, 1])) == pytest.approx(3 / 4)
    assert np.isnan(area_under_curve(scores, np.array([1, 1, 1, 1])))


def test_macro_f1_of_many_classes_counts_those_that_occur():
    noise = np.random.default_rng(1)
    labels = noise.integers(0, 30, 120)  # of 43 classes, 30 occur
    scores = noise.random((120, 43)) + np.eye(43)[labels]
    measures = classification_measures(scores, labels)
    predictions = scores.argmax(axis=1)
    per_class = []
    for index in sorted({*labels, *predictions}):
        hits = np.sum((labels == index) & (predictions == index))
        per_class.append(2 * hits / (np.sum(labels == index) + np.sum(predictions == index)))
    assert measures['macro_f1'] == pytest.approx(np.mean(per_class))
    assert measures['macro_f1'] == pytest.approx(f1_score(labels, predictions, average='macro'))


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r'label 3 of sample 5 is out of range: expected 0 to 2'):
        confusion_matrix(PREDICTIONS, np.array([0, 0, 0, 1, 1, 3]), 3)
    with pytest.raises(ValueError, match='no label given'):
        confusion_matrix(np.array([0]), np.array([], dtype=int), 3)
    with pytest.raises(ValueError, match='must be integers'):
        confusion_matrix(PREDICTIONS, LABELS.astype(float), 3)
