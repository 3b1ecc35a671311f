"""Predictions and measures of the clips that a language model was asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hicmae_mm.apis.zero_shot.evaluation import STATES, Outcome
from hicmae_mm.evaluation.functional.classification import (
    class_recalls,
    confusion_matrix,
    unweighted_average_recall,
    weighted_average_recall,
)


def as_predictions(
    outcomes: Sequence[Outcome], infos: Mapping[int, Mapping[str, Any]], classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Makes predictions in the form of ``tools/test.py --out`` of the answered clips.

    A language model gives an order, not probabilities: the score of a class is the share ``1 / rank`` of the sum over
    the classes that it names; others have 0. Clips without an answer are left out, since every score would be invented.

    Args:
        outcomes: Outcomes of the clips.
        infos: Index -> ``sample_idx``, ``sample_id`` and ``gt_label`` of the clip.
        classes: Names of the classes.
    """
    predictions = []
    for outcome in outcomes:
        if outcome.state != 'answered':
            continue
        scores = np.zeros(len(classes), dtype=np.float32)
        for rank, word in enumerate(outcome.words, start=1):
            scores[list(classes).index(word)] = 1 / rank
        info = infos[outcome.index]
        label = int(scores.argmax())
        predictions.append(dict(info, pred_score=scores / scores.sum(), pred_label=np.array([label])))
    return predictions


def summary(outcomes: Sequence[Outcome], labels: Mapping[int, int], classes: Sequence[str]) -> dict[str, Any]:
    """Measures twice: clips without an answer count as wrong, and they are left out.

    Args:
        outcomes: Outcomes of the clips.
        labels: Index -> class of the clip.
        classes: Names of the classes.

    Returns:
        Counts of each state, and UAR and WAR under ``missing_is_wrong`` and ``answered_only`` (None if no clip is
        answered).
    """
    states = Counter(outcome.state for outcome in outcomes)
    answered = [outcome for outcome in outcomes if outcome.state == 'answered']
    found = [list(classes).index(outcome.words[0]) for outcome in answered]
    right = [labels[outcome.index] for outcome in answered]
    hits = np.bincount([label for label, other in zip(right, found) if label == other], minlength=len(classes))
    everything = np.bincount([labels[outcome.index] for outcome in outcomes], minlength=len(classes))
    occurs = everything > 0
    result: dict[str, Any] = {state: states[state] for state in STATES}
    result['missing_is_wrong'] = dict(
        UAR=float((hits[occurs] / everything[occurs]).mean()), WAR=float(hits.sum() / everything.sum())
    )
    result['answered_only'] = None
    if answered:
        counts = confusion_matrix(np.array(found), np.array(right), len(classes))
        result['answered_only'] = dict(UAR=unweighted_average_recall(counts), WAR=weighted_average_recall(counts))
        result['recalls'] = dict(zip(classes, class_recalls(counts).tolist()))
    return result
