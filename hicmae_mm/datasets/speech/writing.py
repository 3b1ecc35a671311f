"""Reads the sound of all recordings, and writes lists, statistics and a config."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hicmae_mm.datasets.conversion.lists import write_whole
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.audio import open_audio
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.datasets.speech.folds import Fold
from hicmae_mm.datasets.speech.normalization import normalize_by_speaker
from hicmae_mm.datasets.speech.recordings import Recording
from hicmae_mm.datasets.speech.statistics import SAMPLE_RATE_HZ, voice_statistics
from hicmae_mm.utils.files import csv_text, replaced_file

VOICE_FOLDER, CONFIG = 'voice', 'config.py'


def read_waveform(path: Path) -> np.ndarray:
    """Reads a whole recording as ``(S,)`` float32 at 16 kHz.

    Raises:
        MediaError: If the file is broken or has no sound.
    """
    reader = open_audio(path)
    try:
        return resample_waveform(reader.read(0, reader.num_samples), reader.sample_rate_hz, SAMPLE_RATE_HZ)
    finally:
        reader.close()


def read_statistics(
    recordings: Sequence[Recording], skip_broken: bool = False
) -> tuple[list[Recording], list[np.ndarray], list[str]]:
    """Computes the statistics of all recordings.

    Args:
        recordings: The recordings.
        skip_broken: Whether to leave out recordings that are broken, silent or too short.

    Returns:
        The recordings that can be used, their statistics ``(D,)``, and a line about each of the others.

    Raises:
        MediaError: If a recording cannot be used. The message names it.
    """
    used, statistics, broken = [], [], []
    for recording in recordings:
        try:
            row = voice_statistics(read_waveform(recording.path))
        except MediaError as error:
            line = str(error) if str(recording.path) in str(error) else f'{recording.path}: {error}'
            if not skip_broken:
                raise MediaError(f'{line}; leave out what cannot be used with --skip-broken') from error
            broken.append(line)
            continue
        used.append(recording)
        statistics.append(row)
    return used, statistics, broken


def write_corpus(
    out_dir: Path,
    folds: Mapping[str, Fold],
    recordings: Sequence[Recording],
    statistics: Sequence[np.ndarray],
    base_config: Path,
) -> Path:
    """Writes lists, normalised statistics, and a config.

    Args:
        out_dir: Folder to write to.
        folds: Recordings by fold and part.
        recordings: All recordings.
        statistics: ``(D,)`` of each of them.
        base_config: Config from which the new one inherits; it gets other classes and another folder.

    Returns:
        The config.
    """
    root = out_dir.resolve()
    rows = normalize_by_speaker(statistics, [recording.speaker for recording in recordings])
    for recording, row in zip(recordings, rows):
        with replaced_file(root / VOICE_FOLDER / f'{recording.name}.npy') as path, path.open('wb') as file:
            np.save(file, row)
    classes = sorted({recording.label for recording in recordings})
    texts = {root / CONFIG: _config(root, classes, base_config)}
    for name, fold in folds.items():
        texts |= {root / name / f'{part}.csv': _table(members) for part, members in fold.items()}
    write_whole(texts)
    return out_dir / CONFIG


def _table(recordings: Sequence[Recording]) -> str:
    rows = [dict(sample_id=item.name, audio=item.path, label=item.label, speaker=item.speaker) for item in recordings]
    if not any(row['speaker'] for row in rows):
        rows = [{name: cell for name, cell in row.items() if name != 'speaker'} for row in rows]
    return csv_text(rows)


def _config(root: Path, classes: Sequence[str], base_config: Path) -> str:
    return f'''"""Statistics of the voice, {len(classes)} classes.

Written by tools/dataset_converters/speech.py. FOLD in the environment chooses the fold.
"""

_base_ = [{str(base_config)!r}]

data = dict(data_root={str(root)!r}, metainfo=dict(classes={tuple(classes)!r}))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
model = dict(
    data_preprocessor=dict(batch_augment=dict(num_classes={len(classes)})),
    head=dict(num_classes={len(classes)}),
)
work_dir = {f'work_dirs/{root.name}/fold'!r} + '{{{{$FOLD:1}}}}'
'''
