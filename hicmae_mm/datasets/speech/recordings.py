"""Finds the recordings of a corpus of speech: who speaks, and with which emotion, by names or by a table."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path

from hicmae_mm.datasets.preparation.sources import find_files
from hicmae_mm.datasets.tables import read_table

SOUND_EXTENSIONS = ('wav', 'flac', 'mp3', 'm4a', 'ogg', 'opus')
_COLUMNS = ('audio', 'label', 'speaker')


@dataclass(frozen=True)
class Recording:
    """Describes a recording of one utterance.

    Attributes:
        path: The sound file.
        name: Its path below the corpus, which names the sample.
        label: Name of its class.
        speaker: Name of the speaker; empty if it is not known.
    """

    path: Path
    name: str
    label: str
    speaker: str


@dataclass(frozen=True)
class Naming:
    """States how paths below the corpus tell class and speaker: the first group of each pattern that took part.

    Attributes:
        label: Pattern of the class, searched in the path with ``/`` between folders.
        speaker: Pattern of the speaker; None means that speakers are not known.
        classes: Names of the classes by what the pattern finds; those that are not in it keep what was found.
    """

    label: re.Pattern[str]
    speaker: re.Pattern[str] | None
    classes: Mapping[str, str] = field(default_factory=dict)


# 03a01Wa.wav: speaker 03, sentence a01, German initial of the emotion, version
EMODB = Naming(
    label=re.compile(r'(?:^|/)\d\d[ab]\d\d([WLEAFTN])[a-z]?\.[^/]*$'),
    speaker=re.compile(r'(?:^|/)(\d\d)[ab]\d\d[WLEAFTN][a-z]?\.[^/]*$'),
    classes=dict(W='anger', L='boredom', E='disgust', A='fear', F='happiness', T='sadness', N='neutral'),
)


def recordings_by_name(root: Path, naming: Naming) -> list[Recording]:
    """Lists the sound files of a folder, whose paths tell class and speaker.

    Raises:
        FileNotFoundError: If there is no such folder.
        ValueError: If it has no sound files, or a path does not match a pattern.
    """
    recordings = []
    for path in find_files(root, SOUND_EXTENSIONS):
        name = path.relative_to(root).as_posix()
        label = _found(naming.label, name, 'class')
        speaker = '' if naming.speaker is None else _found(naming.speaker, name, 'speaker')
        recordings.append(Recording(path.absolute(), name, naming.classes.get(label, label), speaker))
    return recordings


def _found(pattern: re.Pattern[str], name: str, kind: str) -> str:
    match = pattern.search(name)
    text = '' if match is None else next((group for group in match.groups() if group), '')
    if not text:
        raise ValueError(
            f'{name}: the path does not tell the {kind}, it does not match {pattern.pattern!r}; give another pattern, '
            'or move the file out of the corpus'
        )
    return text


def recordings_of_table(table: Path, root: Path, has_speakers: bool = True) -> list[Recording]:
    """Lists the recordings of a table with the columns ``audio``, ``label`` and ``speaker``.

    Args:
        table: CSV, JSON lines or Parquet.
        root: Folder that the paths start from.
        has_speakers: Whether the column ``speaker`` is read.

    Raises:
        FileNotFoundError: If the table or a sound file does not exist.
        ValueError: If a cell is missing.
    """
    if not table.is_file():
        raise FileNotFoundError(f'{table} does not exist')
    recordings, columns = [], _COLUMNS if has_speakers else _COLUMNS[:2]
    for position, row in read_table(table):
        cells = {column: str(row.get(column) or '').strip() for column in columns}
        missing = [column for column, cell in cells.items() if not cell]
        if missing:
            raise ValueError(f'{table}, {position}: {missing[0]} is missing; every row needs {", ".join(columns)}')
        path = root / cells['audio']
        if not path.is_file():
            raise FileNotFoundError(f'{table}, {position}: {path} does not exist')
        recordings.append(
            Recording(path.absolute(), cells['audio'].lstrip('/'), cells['label'], cells.get('speaker', ''))
        )
    return recordings


def check_recordings(recordings: Sequence[Recording], without: Set[str] = frozenset()) -> list[Recording]:
    """Leaves classes out, and refuses what is no classification.

    Args:
        recordings: All recordings.
        without: Names of classes that are left out.

    Raises:
        ValueError: If a class to leave out does not exist, fewer than two are left, or a recording is listed twice.
    """
    labels = {recording.label for recording in recordings}
    if not without <= labels:
        raise ValueError(f'there is no class {min(without - labels)!r} to leave out; classes are {sorted(labels)}')
    kept = [recording for recording in recordings if recording.label not in without]
    if len(labels - without) < 2:
        raise ValueError(
            f'expected recordings of at least two classes, got {sorted(labels - without)}; does the pattern of the '
            'class match the right part of the names?'
        )
    twice = [name for name, count in Counter(recording.name for recording in kept).items() if count > 1]
    if twice:
        raise ValueError(f'{twice[0]} is listed twice')
    return kept
