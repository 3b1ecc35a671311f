"""Reads the clips of a list, finds their files and speakers, and writes the list without some of them."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mmengine.fileio import join_path

from hicmae_mm.datasets.annotations import OWN_SOUND_TRACK, load_annotations
from hicmae_mm.datasets.corpora.protocols import PROTOCOLS
from hicmae_mm.datasets.labels import LabelParser
from hicmae_mm.datasets.tables import is_table
from hicmae_mm.datasets.text_files import lines_with_ends, read_json, read_text

STREAMS = ('video', 'audio')
_LABEL = re.compile(r'-?[0-9]+(?:\.[0-9]+)?')


@dataclass(frozen=True)
class ListedClip:
    """Describes a clip of an annotation file.

    Attributes:
        index: Place in the list, from 0.
        position: Position in the file, such as ``'line 3'``.
        paths: File or folder of each stream; None where the list names none.
        columns: Its two paths as written.
        labels: Label columns as written.
        streams: Streams that it has, unless the list says otherwise (JSON) both.
        speaker: Speaker that the list names (JSON); None means nobody.
        others: Columns without a fixed meaning, such as words and features.
        span: Start and end (seconds) of the clip in its files; None means the whole files.
    """

    index: int
    position: str
    paths: Mapping[str, Path | None]
    columns: tuple[str, str] = (OWN_SOUND_TRACK, OWN_SOUND_TRACK)
    labels: tuple[Any, ...] = ()
    streams: tuple[str, ...] = STREAMS
    speaker: str | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    span: tuple[float, float] | None = None

    @property
    def name(self) -> str:
        """Returns the path that names the clip, as written."""
        return self.columns[0] if self.columns[0] != OWN_SOUND_TRACK else self.columns[1]


class _LabelsAsWritten(LabelParser):
    def parse(self, fields: Sequence[Any]) -> dict[str, Any]:
        return dict(label=tuple(fields))


def list_clips(
    ann_file: Path, data_root: str, data_prefix: Mapping[str, str]
) -> tuple[list[ListedClip], dict[str, Any]]:
    """Reads a list, text or JSON; labels are not looked at.

    Args:
        ann_file: The list.
        data_root: Folder that its paths start from.
        data_prefix: Folders of ``'video'`` and ``'audio'`` below it.

    Returns:
        The clips, and the meta information of a JSON list.

    Raises:
        FileNotFoundError: If there is no such list.
        ValueError: If it is malformed or empty; the line is named.
    """
    records, metainfo = load_annotations(str(ann_file), _LabelsAsWritten('unlabelled'))
    clips = []
    for index, record in enumerate(records):
        paths: dict[str, Path | None] = {}
        for stream in STREAMS:
            name = record[stream]
            paths[stream] = None if name is None else Path(join_path(data_root, data_prefix.get(stream, ''), name))
        paths['audio'] = paths['audio'] or paths['video']  # '-' is the video's own sound track
        columns = (record['video'] or OWN_SOUND_TRACK, record['audio'] or OWN_SOUND_TRACK)
        absent = record.get('absent', ())
        streams = tuple(name for name in record.get('streams', STREAMS) if name not in absent)
        position, label, speaker = record['position'], record['label'], record.get('speaker')
        others = record.get('columns', {})
        clips.append(ListedClip(index, position, paths, columns, label, streams, speaker, others, record.get('span')))
    return clips, metainfo


def column_hint(clip: ListedClip) -> str:
    """Returns the reason why files of a clip may be missing, where its columns were meant in another way.

    It is empty if nothing tells.
    """
    video, audio = clip.paths['video'], clip.columns[1]
    if hint := _backslash_hint(clip):
        return hint
    if not clip.position.startswith('line ') or video is None or audio == OWN_SOUND_TRACK:
        return ''
    rest = [audio, *map(str, clip.labels)]
    if any(os.path.exists(' '.join([str(video), *rest[:count]])) for count in range(1, len(rest) + 1)):  # noqa: PTH110
        return '; the name has spaces, so the list needs the JSON form (docs/data_format.md)'
    if _LABEL.fullmatch(audio) and not clip.labels:
        return "; the line seems to be 'path label', expected 'video audio label': '-' is the video's own sound"
    return ''


def _backslash_hint(clip: ListedClip) -> str:
    paths = [str(path) for path in clip.paths.values() if path is not None]
    if any('\\' in path and os.path.exists(path.replace('\\', '/')) for path in paths):  # noqa: PTH110
        return "; the list has the paths of Windows, write '/' in place of '\\'"
    return ''


def streams_of(clips: Sequence[ListedClip]) -> tuple[str, ...]:
    """Returns the streams of a list: sound only if it has no videos, pictures only if it names only folders."""
    if all(clip.paths['video'] is None for clip in clips):
        return ('audio',)
    if all(
        (path := clip.paths['audio']) == clip.paths['video'] and path is not None and path.is_dir() for clip in clips
    ):
        return ('video',)
    return STREAMS


def speakers_of(clips: Sequence[ListedClip], corpus: str | None, column: int | None) -> list[str | None]:
    """Returns the speaker of each clip, from the list (JSON or a label column), else from the names of the corpus.

    Args:
        clips: The clips.
        corpus: Name of the data set class; None means names tell nothing.
        column: Label column that names speakers, from 0; None means none does.

    Raises:
        ValueError: If a clip has no such column.
    """
    protocol = None if corpus is None else PROTOCOLS[corpus]
    speakers = []
    for clip in clips:
        if column is not None and not 0 <= column < len(clip.labels):
            raise ValueError(
                f'{clip.position}: no label column {column} with the speaker, there are {len(clip.labels)}'
            )
        written = clip.speaker if column is None else str(clip.labels[column])
        speakers.append(written or (None if protocol is None else protocol.speaker_of(clip.name)))
    return speakers


def count_labels(clips: Sequence[ListedClip]) -> dict[str, int]:
    """Counts the clips of each label, if every clip has one label; otherwise empty."""
    if any(len(clip.labels) != 1 for clip in clips):
        return {}
    return dict(sorted(Counter(str(clip.labels[0]) for clip in clips).items()))


def _has_header(ann_file: Path) -> bool:
    return ann_file.suffix.lower() != '.jsonl' and is_table(ann_file)


def clean_list(ann_file: Path, clips: Sequence[ListedClip], is_clean: Sequence[bool]) -> str:
    """Returns the list without the clips that have problems. The other lines or JSON items stay as they were.

    Args:
        ann_file: The list that the clips come from.
        clips: All clips in their order.
        is_clean: One value per clip.

    Raises:
        ValueError: If no clip is clean.
    """
    kept = [clip for clip, clean in zip(clips, is_clean, strict=True) if clean]
    if not kept:
        raise ValueError(f'no clip of {ann_file} is clean, so there is no clean list to write; check --data-root')
    if ann_file.suffix.lower() == '.parquet':
        raise ValueError(f'{ann_file}: the list without problems is text; write the table as CSV or JSON lines')
    if ann_file.suffix.lower() == '.json':
        content = read_json(ann_file)
        content['data_list'] = [content['data_list'][clip.index] for clip in kept]
        return json.dumps(content, indent=1, ensure_ascii=False) + '\n'
    lines = lines_with_ends(read_text(ann_file))
    header = [next(line for line in lines if line.strip())] if _has_header(ann_file) else []
    texts = header + [lines[int(clip.position.removeprefix('line ')) - 1] for clip in kept]
    return ''.join(text if text.endswith('\n') else text.rstrip('\r') + '\n' for text in texts)
