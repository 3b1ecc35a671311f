"""Folds by speaker: nobody is in the training and the test part of a fold."""

from __future__ import annotations

from collections.abc import Sequence

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
