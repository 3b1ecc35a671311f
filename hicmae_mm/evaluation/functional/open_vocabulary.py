"""Measures of sets of emotion words: precision and recall after words of one meaning were made one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from hicmae_mm.evaluation.emotion_wheels import EmotionWheels

Pairs = Sequence[tuple[Sequence[str], Sequence[str]]]  # true words and predicted words of each clip


def set_scores(truth: set[str], predicted: set[str]) -> tuple[float, float]:
    """Computes precision and recall of a predicted set; both are 0 where nothing is predicted.

    Raises:
        ValueError: If there is no truth.
    """
    if not truth:
        raise ValueError('a clip without true words has no recall')
    common = len(truth & predicted)
    return (common / len(predicted) if predicted else 0.0), common / len(truth)


def group_measures(pairs: Pairs, groups: Sequence[Sequence[Sequence[str]]]) -> dict[str, float]:
    """Computes the measures of the open-vocabulary track of MER2024.

    Args:
        pairs: True words and predicted words of each clip. Clips without true words are left out.
        groups: Groups of words of one meaning, of each clip. A word counts as the first one of its group, of the last
            group if there are several; a word in no group counts as itself.

    Returns:
        ``accuracy`` (mean precision), ``recall``, ``average`` of both, and ``samples``.

    Raises:
        ValueError: If no clip has true words.
    """
    scores = []
    for (truth, predicted), meanings in zip(pairs, groups, strict=True):
        first = {word: group[0] for group in meanings for word in group}
        if truth:
            scores.append(set_scores(*({first.get(word, word) for word in words} for words in (truth, predicted))))
    if not scores:
        raise ValueError('no clip has true words')
    accuracy, recall = np.mean(scores, axis=0).tolist()
    return {'accuracy': accuracy, 'recall': recall, 'average': (accuracy + recall) / 2, 'samples': len(scores)}


def wheel_measures(pairs: Pairs, wheels: EmotionWheels, wheel: int, level: int) -> dict[str, float]:
    """Computes the measures of the open-vocabulary tracks of MER2025 and MER2026 on one wheel.

    Args:
        pairs: True words and predicted words of each clip. Clips whose true words are not on the wheel are left out.
        wheels: The maps.
        wheel: Number of the wheel, from 1.
        level: Level of the wheels, 1 or 2.

    Returns:
        ``precision`` and ``recall``, means over the clips, ``f`` of these means, and ``samples``; all 0 without a clip.
    """
    scores = []
    for truth, predicted in pairs:
        true_sectors = wheels.sector_set(truth, wheel, level)
        if true_sectors:
            scores.append(set_scores(true_sectors, wheels.sector_set(predicted, wheel, level)))
    precision, recall = np.mean(scores, axis=0).tolist() if scores else (0.0, 0.0)
    both = precision + recall
    f_score = 2 * precision * recall / both if both else 0.0
    return {'precision': precision, 'recall': recall, 'f': f_score, 'samples': len(scores)}


def all_wheel_measures(
    pairs: Pairs, wheels: EmotionWheels, levels: Iterable[int] = (1,)
) -> dict[str, dict[str, float]]:
    """Computes :func:`wheel_measures` of every wheel, by ``wheel1_level1`` and so on."""
    numbers = sorted({wheel for wheel, _ in wheels.sectors})
    return {
        f'wheel{wheel}_level{level}': wheel_measures(pairs, wheels, wheel, level)
        for level in levels
        for wheel in numbers
    }


def wheel_means(measures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """Computes the mean of ``f`` over the wheels of each level, by ``level1`` and so on."""
    levels: dict[str, list[float]] = {}
    for name, found in measures.items():
        levels.setdefault(name.rpartition('_')[2], []).append(found['f'])
    return {level: float(np.mean(values)) for level, values in levels.items()}
