"""Removes from the statistics of a voice what is common to all recordings of its speaker. No label is used."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_PRIOR_CLIPS = 2.0  # a speaker with as many recordings is normalised half by them and half by the whole corpus
_SMALLEST_STD = 1e-4  # statistics that vary less, such as energies above the band of a telephone, become 0
_LARGEST = 5.0  # standard deviations


def normalize_by_speaker(statistics: Sequence[np.ndarray], speakers: Sequence[str]) -> np.ndarray:
    """Subtracts the mean of the speaker and divides by the deviation, statistic by statistic.

    Mean and deviation are those of the speaker's recordings. For a speaker with few recordings those of the whole
    corpus are mixed in. Values are limited to 5 deviations.

    Args:
        statistics: ``(D,)`` of every recording.
        speakers: Speaker of every recording.

    Returns:
        ``(N, D)`` float32.

    Example:
        >>> rows = [np.array([value]) for value in (100.0, 102.0, 300.0, 302.0)]
        >>> normalize_by_speaker(rows, ['a', 'a', 'b', 'b']).astype(float).round(1).ravel().tolist()
        [-0.6, -0.6, 0.6, 0.6]
    """
    rows = np.stack(statistics).astype(np.float64)  # (N, D)
    mean_all, variance_all = rows.mean(axis=0), rows.var(axis=0)
    normalized = np.empty(rows.shape, np.float32)
    names = np.array(speakers)
    for speaker in sorted(set(speakers)):
        own = rows[names == speaker]
        share = len(own) / (len(own) + _PRIOR_CLIPS)
        mean = share * own.mean(axis=0) + (1 - share) * mean_all
        variance = share * own.var(axis=0) + (1 - share) * variance_all
        variance += share * (1 - share) * (own.mean(axis=0) - mean_all) ** 2  # that of a mixture of both
        std = np.sqrt(variance)
        factor = np.where(std > _SMALLEST_STD, 1 / np.maximum(std, _SMALLEST_STD), 0.0)
        normalized[names == speaker] = np.clip((own - mean) * factor, -_LARGEST, _LARGEST)
    return normalized
