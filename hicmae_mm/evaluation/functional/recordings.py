"""Merging the clips of one recording into one sample."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np


def recording_of(sample_id: str, pattern: str | re.Pattern[str]) -> str:
    """Returns the name of the recording that a clip was cut from.

    Args:
        sample_id: Name of the clip.
        pattern: Regular expression with one group, searched in ``sample_id``; the group is the name.

    Raises:
        ValueError: If the expression does not match; the clip is named.
    """
    match = re.search(pattern, sample_id)
    if match is None or match[1] is None:
        text = pattern if isinstance(pattern, str) else pattern.pattern
        raise ValueError(
            f'sample {sample_id!r} belongs to no recording: the regular expression {text!r} does not match it; '
            'correct group_pattern, or leave it out to measure per clip'
        )
    return match[1]


def merge_recordings(
    sample_ids: Sequence[str], scores: np.ndarray, labels: np.ndarray, pattern: str | re.Pattern[str]
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Averages the scores of all clips of a recording, as AVCAFFE is scored.

    Args:
        sample_ids: N names of clips.
        scores: ``(N, C)`` class scores, one row per clip.
        labels: ``(N,)`` class indices, the same for all clips of a recording.
        pattern: As in :func:`recording_of`.

    Returns:
        Names of the R recordings in the order of their first clips, their scores ``(R, C)`` and labels ``(R,)``.

    Raises:
        ValueError: If a clip belongs to no recording, or the clips of one differ in their labels.
    """
    members: dict[str, list[int]] = {}
    for index, sample_id in enumerate(sample_ids):
        members.setdefault(recording_of(sample_id, pattern), []).append(index)
    for recording, indices in members.items():
        other = next((index for index in indices if labels[index] != labels[indices[0]]), None)
        if other is not None:
            first = indices[0]
            raise ValueError(
                f'the clips of recording {recording!r} must have one label, but {sample_ids[first]!r} has '
                f'{labels[first]} and {sample_ids[other]!r} has {labels[other]}; correct group_pattern or the '
                'annotation file'
            )
    merged = np.stack([scores[indices].mean(axis=0) for indices in members.values()])
    return list(members), merged, np.array([labels[indices[0]] for indices in members.values()])
