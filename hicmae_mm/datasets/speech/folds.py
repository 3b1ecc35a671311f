"""Folds by speaker, where nobody is in the training and the test part, and folds by class, without speakers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hicmae_mm.datasets.speech.recordings import Recording

Fold = dict[str, list[Recording]]


def speaker_folds(recordings: Sequence[Recording], num_folds: int | None = None) -> dict[str, Fold]:
    """Splits recordings into folds, ``'fold1'`` on, each with a part ``'train'`` and a part ``'test'``.

    Args:
        recordings: All recordings.
        num_folds: Number of groups of speakers. None makes one fold for every speaker.

    Raises:
        ValueError: If there are fewer speakers than folds, or a fold would test a class that it does not train.
    """
    speakers = sorted({recording.speaker for recording in recordings})
    if len(speakers) < 2:
        raise ValueError(
            f'all recordings are of the speaker {speakers[0]!r}; folds by speaker need at least two. Does the pattern '
            'of the speaker match the right part of the names?'
        )
    count = len(speakers) if num_folds is None else num_folds
    if not 2 <= count <= len(speakers):
        raise ValueError(f'--folds must be from 2 to the number of speakers, {len(speakers)}, got {count}')
    folds: dict[str, Fold] = {}
    for k in range(count):
        tested = set(speakers[k * len(speakers) // count : (k + 1) * len(speakers) // count])
        fold: Fold = {'train': [], 'test': []}
        for recording in recordings:
            fold['test' if recording.speaker in tested else 'train'].append(recording)
        untrained = {item.label for item in fold['test']} - {item.label for item in fold['train']}
        if untrained:
            raise ValueError(
                f'fold{k + 1}: only the tested speakers {sorted(tested)} have the class {min(untrained)!r}, so that it '
                'could not be learnt; leave the class out with --without, or choose fewer folds'
            )
        folds[f'fold{k + 1}'] = fold
    return folds


def stratified_folds(recordings: Sequence[Recording], num_folds: int, seed: int = 0) -> dict[str, Fold]:
    """Splits recordings at random into folds with the same share of every class, for speakers that are not known.

    The same person can be in the training and the test part. So scores are higher than for new speakers.

    Args:
        recordings: All recordings.
        num_folds: Number of folds.
        seed: Seed of the split.

    Raises:
        ValueError: If there are fewer than two folds, or a class has fewer recordings than folds.
    """
    if num_folds < 2:
        raise ValueError(f'--stratified must be at least 2, got {num_folds}')
    generator = np.random.default_rng(seed)
    tested: dict[int, int] = {}
    for label in sorted({recording.label for recording in recordings}):
        members = [index for index, recording in enumerate(recordings) if recording.label == label]
        if len(members) < num_folds:
            raise ValueError(
                f'the class {label!r} has {len(members)} recordings, {num_folds} folds need one each; choose fewer '
                'folds, or leave the class out with --without'
            )
        # the next class begins where this one ended, so that the folds have one size
        tested |= {
            int(index): (len(tested) + place) % num_folds for place, index in enumerate(generator.permutation(members))
        }
    return {
        f'fold{k + 1}': {
            'train': [recording for index, recording in enumerate(recordings) if tested[index] != k],
            'test': [recording for index, recording in enumerate(recordings) if tested[index] == k],
        }
        for k in range(num_folds)
    }
