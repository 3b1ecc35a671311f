"""Reads Aff-Wild2 (Kollias and Zafeiriou, 2019) as in the ABAW challenges: videos with labels of every frame."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from operator import itemgetter
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.corpora.metainfo import palette
from hicmae_mm.datasets.labels import as_number
from hicmae_mm.datasets.readers.folders import walk
from hicmae_mm.datasets.text_files import read_rows, shown
from hicmae_mm.registry import DATASETS

EXPRESSIONS = ('Neutral', 'Anger', 'Disgust', 'Fear', 'Happiness', 'Sadness', 'Surprise', 'Other')
ACTION_UNITS = ('AU1', 'AU2', 'AU4', 'AU6', 'AU7', 'AU10', 'AU12', 'AU15', 'AU23', 'AU24', 'AU25', 'AU26')
DIMENSIONS = ('valence', 'arousal')
IGNORE, IGNORE_VALUES = -1, -5.0
_CLASSES = ('neutral', 'anger', 'disgust', 'fear', 'happiness', 'sadness', 'surprise', 'other')


@DATASETS.register_module()
class AffWild2(AudioVisualDataset):
    """Loads Aff-Wild2 with labels of frames. See :class:`AudioVisualDataset` for the arguments.

    The labels of a video are in files that columns of the table name; ``LoadFrameTargets`` reads them. A frame without
    label has the expression -1, action units of -1, and valence and arousal of -5.
    """

    TASK = 'unlabelled'  # of whole clips
    METAINFO: ClassVar[dict[str, Any]] = dict(
        name='Aff-Wild2',
        classes=_CLASSES,
        palette=palette(_CLASSES),
        dimensions=DIMENSIONS,
        action_units=ACTION_UNITS,
        licence='non-commercial research, on signed agreement by members of universities',
        homepage='https://ibug.doc.ic.ac.uk/resources/aff-wild2',
        paper='https://arxiv.org/abs/1811.07770',
        level='frame',
        speaker_independent=None,  # its authors say so; who is seen is not on record
    )


CHALLENGES: dict[str, str] = dict(
    VA='VA_Estimation_Challenge', EXPR='EXPR_Recognition_Challenge', AU='AU_Detection_Challenge', MTL='MTL_Challenge'
)
"""Short names of the challenges, and the folders of their annotations. Lists of MTL are known by their header."""

_PARTS = dict(train='Train_Set', validation='Validation_Set')
_HEADERS = dict(VA=DIMENSIONS, EXPR=EXPRESSIONS, AU=ACTION_UNITS, MTL=('image', *DIMENSIONS, 'expression'))


@dataclass(frozen=True)
class VideoLabels:
    """Stores the labels of a video, with a row for each annotated frame.

    Attributes:
        name: Name of the video, such as ``1-30-1280x720`` or ``video5_left``.
        numbers: ``(T,)`` int64, numbers of the frames, counted from 1.
        targets: ``expression (T,)``, ``valence_arousal (T, 2)``, ``action_units (T, 12)``, those that are known.
    """

    name: str
    numbers: np.ndarray
    targets: dict[str, np.ndarray]


def find_annotations(root: Path, challenges: Sequence[str]) -> dict[tuple[str, str], list[Path]]:
    """Finds text files of annotations at any depth, by challenge and part (``'train'`` or ``'validation'``)."""
    found: dict[tuple[str, str], list[Path]] = {}
    for folder, names in walk(root):
        texts = [folder / name for name in names if name.endswith('.txt')]
        for challenge, part in product(challenges, _PARTS):
            if folder.parts[-2:] == (CHALLENGES[challenge], _PARTS[part]):
                found.setdefault((challenge, part), []).extend(texts)
        if 'MTL' in challenges:
            for path in texts:
                part = next((part for part in _PARTS if part in path.name.lower()), '')
                if part and _first_line(path).startswith('image,'):
                    found.setdefault(('MTL', part), []).append(path)
    return found


def read_annotations(challenge: str, files: Sequence[Path]) -> list[VideoLabels]:
    """Reads the annotations of a part of a challenge.

    Args:
        challenge: ``'VA'``, ``'EXPR'``, ``'AU'`` or ``'MTL'``.
        files: A file for each video, or the lists of MTL.

    Raises:
        ValueError: If a header or a line is malformed, or a value is out of range. The message names file and line.
    """
    if challenge == 'MTL':
        return [video for path in files for video in _read_multitask(path)]
    return [_read_video(challenge, path) for path in files]


def _first_line(path: Path) -> str:
    with path.open(encoding='utf-8', errors='replace') as file:
        return file.readline().strip().replace(' ', '').lower()


def _read_video(challenge: str, path: Path) -> VideoLabels:
    rows, _ = _read_lines(path, _HEADERS[challenge])
    width = dict(VA=2, EXPR=1, AU=len(ACTION_UNITS))[challenge]
    values = np.array([_numbers(place, fields, width) for place, fields in rows], np.float64)
    if challenge == 'VA':
        targets = dict(valence_arousal=_dimensions(path, values))
    elif challenge == 'EXPR':
        targets = dict(expression=_integers(path, values[:, 0], len(EXPRESSIONS)))
    else:
        targets = dict(action_units=_integers(path, values, 2))
    return VideoLabels(path.stem, np.arange(1, len(values) + 1), targets)


def _read_multitask(path: Path) -> Iterator[VideoLabels]:
    rows, header = _read_lines(path, _HEADERS['MTL'])
    width = len(header) - 1
    if width != 3 + len(ACTION_UNITS):
        raise ValueError(
            f'{path}: the header has {width} columns after image, expected valence, arousal, expression and '
            f'{len(ACTION_UNITS)} action units'
        )
    images: dict[str, list[tuple[int, list[float]]]] = {}
    for place, fields in rows:
        image = PurePosixPath(fields[0].strip().replace('\\', '/'))
        if len(image.parts) != 2 or not image.stem.isdecimal():
            raise ValueError(f'{place}: expected an image such as video5_left/00017.jpg, got {shown(fields[0])}')
        images.setdefault(image.parts[0], []).append((int(image.stem), _numbers(place, fields[1:], width)))
    for name, entries in images.items():
        entries.sort(key=itemgetter(0))
        values = np.array([row for _, row in entries], np.float64)
        targets = dict(
            valence_arousal=_dimensions(path, values[:, :2]),
            expression=_integers(path, values[:, 2], len(EXPRESSIONS)),
            action_units=_integers(path, values[:, 3:], 2),
        )
        yield VideoLabels(name, np.array([number for number, _ in entries]), targets)


def _read_lines(path: Path, names: Sequence[str]) -> tuple[list[tuple[str, list[str]]], list[str]]:
    """Returns the lines below the header, each with its place, and the header."""
    lines = [(f'{path}, line {number}', fields) for number, fields in read_rows(path, ',')]
    header = [name.strip() for name in lines[0][1]] if lines else []
    if [name.lower() for name in header[: len(names)]] != [name.lower() for name in names] or len(lines) < 2:
        raise ValueError(f'{path}: expected the header {",".join(names)} and a line per frame, got {shown(header)}')
    return lines[1:], header


def _numbers(place: str, fields: Sequence[str], width: int) -> list[float]:
    values = [as_number(field.strip()) for field in fields]
    found = [value for value in values if value is not None]
    if len(found) != width or len(values) != width:
        raise ValueError(f'{place}: expected {width} numbers, got {shown(",".join(fields))}')
    return found


def _dimensions(path: Path, values: np.ndarray) -> np.ndarray:
    """Checks valence and arousal ``(T, 2)``: a frame with an invalid entry is invalid as a whole."""
    is_invalid = (values == IGNORE_VALUES).any(axis=1)
    if (np.abs(values[~is_invalid]) > 1).any() or not np.isfinite(values).all():
        raise ValueError(f'{path}: valence and arousal must be in -1..1, or {IGNORE_VALUES:g} for an invalid frame')
    return np.where(is_invalid[:, None], IGNORE_VALUES, values).astype(np.float32)


def _integers(path: Path, values: np.ndarray, count: int) -> np.ndarray:
    """Checks classes, or 0 and 1 for action units."""
    if not np.isin(values, np.arange(-1, count)).all():
        raise ValueError(f'{path}: labels must be whole numbers from 0 to {count - 1}, or -1 for an invalid frame')
    return values.astype(np.int64)
