"""Reading annotation files: text lists ``video audio label``, MMEngine-style JSON, and tables with named columns.

A record is a dict of ``video``, ``audio`` (None stands for the sound track of the video), ``position`` (its place in
the file, for error messages) and ``gt_label`` or ``gt_values``. :mod:`hicmae_mm.datasets.records` says what records of
JSON files and tables have besides.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np

from hicmae_mm.datasets.labels import TASKS, LabelParser
from hicmae_mm.datasets.records import OWN_SOUND_TRACK, named_record
from hicmae_mm.datasets.tables import is_table, read_table
from hicmae_mm.datasets.text_files import decode_text, read_json, shown

__all__ = ['OWN_SOUND_TRACK', 'TASKS', 'LabelParser', 'TextRecords', 'load_annotations']

_FORM = "'video audio label'"
_CHUNK_BYTES = 2**22  # part of a list that is searched for line ends in one step
_LABELS_REMEMBERED = 4096  # number of cached results; classification has few different labels
_LabelsOf = Callable[[Mapping[str, Any]], LabelParser]


class TextRecords(Sequence[dict[str, Any]]):
    """Gives access to the records of a text list, which are parsed on access.

    The list is stored as the bytes of its file and 16 bytes per line, in a few objects. Access does not write to these
    objects, so forked worker processes share them. The constructor checks every line once.

    Args:
        ann_file: Text file of ``video audio label`` lines.
        labels: Parser of the label columns.

    Raises:
        ValueError: If a line is malformed. The message names the line.
    """

    def __init__(self, ann_file: str, labels: LabelParser) -> None:
        content = _utf8_with_line_feeds(Path(ann_file).read_bytes(), ann_file)
        self._content, self._labels = content, labels
        self._starts = _line_starts(content)
        self._rows = self._check(ann_file)

    def _check(self, ann_file: str) -> np.ndarray:
        """Checks every line, and returns the numbers of the lines that are not empty, counted from 0."""
        parse_label = lru_cache(_LABELS_REMEMBERED)(lambda text: self._labels.parse(text.split()))
        empty, row = [], -1
        for row, line in enumerate(io.TextIOWrapper(io.BytesIO(self._content), encoding='utf-8', newline='\n')):
            fields = line.split(None, 2)
            try:
                if len(fields) > 1:
                    _check_paths(fields[0], fields[1])
                    parse_label(fields[2] if len(fields) > 2 else '')
                elif fields:
                    has_marks = any(mark in fields[0] for mark in ',;')
                    remedy = '; separate the columns by spaces or tabs'
                    if not has_marks:
                        remedy = '; a list of names alone is a table: its first line must be sample_id'
                    raise ValueError(f'expected {_FORM}, got {shown(fields[0])}{remedy}')
                else:  # usually the last line
                    empty.append(row)
            except ValueError as error:
                hint = self._hint(line.split()) if len(fields) > 1 else ''
                if self._content.lstrip()[:1] in (b'{', b'['):
                    hint = '; the file seems to be JSON, and then its name must end in .json'
                raise ValueError(f'{ann_file}, line {row + 1}: {error}{hint}') from error
        return np.delete(np.arange(row + 1), empty)

    def _hint(self, fields: Sequence[str]) -> str:
        """Returns a hint about the number of columns of a malformed line; empty if the number is usual."""
        if self._labels.task == 'classification' and self._labels.columns is None:
            usual = 3
        else:
            usual = 2 + (self._labels.num_values or 1) + (self._labels.task == 'multitask')
        if len(fields) < usual:
            return (
                f'; the line has {len(fields)} columns, expected {_FORM}: '
                f"write '-' in the audio column for the video's own sound"
            )
        if len(fields) > usual and self._labels.columns is None:
            return (
                f'; the line has {len(fields)} columns, expected {_FORM}: '
                'file names with spaces need the JSON form (docs/data_format.md)'
            )
        return ''

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> TextRecords: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | TextRecords:
        """Parses and returns one record, or returns a part of the list without parsing it."""
        if isinstance(index, slice):
            return self._with_rows(self._rows[index])
        row = self._rows[index]
        fields = self._content[self._starts[row] : self._starts[row + 1]].decode().split()
        return _record(fields[0], fields[1], fields[2:], f'line {row + 1}', self._labels)

    def take(self, indices: Sequence[int]) -> TextRecords:
        """Returns the records of these indices, in this order, without parsing them."""
        return self._with_rows(self._rows[np.asarray(indices, dtype=np.int64)])

    def _with_rows(self, rows: np.ndarray) -> TextRecords:
        other = copy.copy(self)
        other._rows = rows
        return other


def _line_starts(content: bytes) -> np.ndarray:
    """Returns the positions where lines begin, and the length of the content, as int64.

    The result has the shape ``(lines + 1,)``, or ``(lines + 2,)`` if the content ends with a line end.
    """
    found = [np.zeros(1, np.int64)]
    codes = np.frombuffer(content, np.uint8)
    for start in range(0, len(codes), _CHUNK_BYTES):
        found.append(np.flatnonzero(codes[start : start + _CHUNK_BYTES] == ord('\n')) + (start + 1))
    return np.concatenate([*found, [len(content)]])


def _utf8_with_line_feeds(content: bytes, name: str) -> bytes:
    """Converts the bytes of a text list to UTF-8 without a byte order mark, with LF as line end."""
    decoded = decode_text(content, name)
    if not content.isascii():
        content = decoded.encode()
    if b'\r' in content:
        content = content.replace(b'\r\n', b'\n').replace(b'\r', b'\n')
    return content


def load_annotations(ann_file: str, labels: LabelParser | _LabelsOf) -> tuple[Sequence[dict[str, Any]], dict[str, Any]]:
    """Reads an annotation file.

    Args:
        ann_file: The file.
        labels: Parser of the label columns, or a function that makes it from the meta information of the file.

    Returns:
        The records (:class:`TextRecords` for a text list), and the meta information of a JSON file (empty for others).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file has no samples, or a record is malformed. The message names the line.
    """
    path = Path(ann_file)
    if not path.exists():
        raise FileNotFoundError(f'annotation file {ann_file} does not exist; check ann_file and data_root')
    if not path.is_file():
        raise ValueError(f'annotation file {ann_file} is not a file; check ann_file and data_root')
    metainfo: dict[str, Any] = {}
    records: Sequence[dict[str, Any]]
    if path.suffix.lower() == '.json':
        records, metainfo = _load_json(ann_file, labels)
    elif is_table(path):
        records = _load_table(path, labels if isinstance(labels, LabelParser) else labels({}))
    else:
        records = TextRecords(ann_file, labels if isinstance(labels, LabelParser) else labels({}))
    if not records:
        raise ValueError(f'annotation file {ann_file} has no samples, expected lines of {_FORM}')
    return records, metainfo


def _load_json(ann_file: str, labels: LabelParser | _LabelsOf) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    content = read_json(Path(ann_file))
    if not isinstance(content, dict) or 'data_list' not in content:
        raise ValueError(f"{ann_file}: expected a dict of 'metainfo' and 'data_list', got {type(content).__name__}")
    metainfo, items = content.get('metainfo', {}), content['data_list']
    if not isinstance(metainfo, dict) or not isinstance(items, list):
        raise ValueError(f"{ann_file}: expected a dict as 'metainfo' and a list as 'data_list', got {shown(content)}")
    try:
        parser = labels if isinstance(labels, LabelParser) else labels(metainfo)
    except ValueError as error:
        raise ValueError(f'{ann_file}: {error}') from error
    records = []
    for number, item in enumerate(items):
        position = f'data_list[{number}]'
        try:
            records.append(named_record(item, position, parser))
        except ValueError as error:
            raise ValueError(f'{ann_file}, {position}: {error}') from error
    return records, metainfo


def _load_table(path: Path, labels: LabelParser) -> list[dict[str, Any]]:
    records = []
    for position, row in read_table(path):
        try:
            records.append(named_record(row, position, labels))
        except ValueError as error:
            raise ValueError(f'{path}, {position}: {error}') from error
    if not records:
        raise ValueError(f'annotation file {path} has no samples, expected a row per sample below the names of columns')
    return records


def _record(video: str, audio: str, fields: Sequence[Any], position: str, labels: LabelParser) -> dict[str, Any]:
    _check_paths(video, audio)
    record = dict(
        video=None if video == OWN_SOUND_TRACK else video,
        audio=None if audio == OWN_SOUND_TRACK else audio,
        position=position,
    )
    record.update(labels.parse(fields))
    return record


def _check_paths(video: str, audio: str) -> None:
    if video == audio == OWN_SOUND_TRACK:
        raise ValueError("video and audio are both '-' or missing, at least one must name a file")
