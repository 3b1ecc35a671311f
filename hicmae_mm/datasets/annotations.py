"""Reading annotation files: text lists ``video audio label`` and MMEngine-style JSON.

A record is a dict of ``video``, ``audio`` (None: the video's own sound track), ``position`` (where it stands in the
file, for error messages) and ``gt_label`` or ``gt_values``; from JSON also ``sample_id`` and ``streams``, if given.
"""

from __future__ import annotations

import copy
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, overload

import numpy as np
from mmengine.fileio import load

TASKS = ('classification', 'regression', 'multitask', 'unlabelled')
OWN_SOUND_TRACK = '-'
_CHUNK_BYTES = 2**22  # of a list that is searched for line ends at once
_LABELS_REMEMBERED = 4096  # different label columns; few in classification


@dataclass
class LabelParser:
    """Turns the label columns of a record into ``gt_label`` or ``gt_values``, and checks them.

    Attributes:
        task: ``'classification'``, ``'regression'``, ``'multitask'`` (first a class, then values) or ``'unlabelled'``.
        classes: Class names, which may stand for indices; may be empty.
        num_classes: Number of classes; None for tasks without.
        num_values: Values per sample in regression; None until the first sample tells.
        columns: Which label columns count, 0-based, and in which order; None: all.
    """

    task: str
    classes: Sequence[str] = ()
    num_classes: int | None = None
    num_values: int | None = None
    columns: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f'task must be one of {TASKS}, got {self.task!r}')
        if self.columns is not None and (not self.columns or min(self.columns) < 0):
            raise ValueError(f'label_columns must list column numbers from 0 on, got {tuple(self.columns)}')
        if self.task not in ('classification', 'multitask'):
            return
        self.num_classes = self.num_classes or len(self.classes) or None
        if self.num_classes is None:
            raise ValueError(f'task={self.task!r} needs num_classes, or metainfo=dict(classes=(...))')
        if self.classes and len(self.classes) != self.num_classes:
            raise ValueError(f'num_classes={self.num_classes}, but metainfo names {len(self.classes)} classes')

    def parse(self, fields: Sequence[Any]) -> dict[str, Any]:
        """Parses label columns; raises ValueError without saying where, which the caller adds."""
        if self.task == 'unlabelled':
            return {}
        if self.columns is not None:
            if max(self.columns) >= len(fields):
                raise ValueError(f'label_columns={tuple(self.columns)}, but there are {len(fields)} label columns')
            fields = [fields[column] for column in self.columns]
        if self.task == 'classification':
            return dict(gt_label=self._class_index(fields))
        if self.task == 'regression':
            return dict(gt_values=self._values(fields))
        return dict(gt_label=self._class_index(fields[:1]), gt_values=self._values(fields[1:]))

    def _class_index(self, fields: Sequence[Any]) -> int:
        if len(fields) != 1:
            raise ValueError(f'expected one class label, got {len(fields)}')
        label = fields[0]
        if label in self.classes:
            return self.classes.index(label)
        try:
            index = int(label)
        except (TypeError, ValueError) as error:
            known = f' or one of {list(self.classes)}' if self.classes else ''
            raise ValueError(f'label {label!r} is not a class index{known}') from error
        if not 0 <= index < (self.num_classes or 0) or index != float(label):
            raise ValueError(f'label {label} is out of range, expected 0..{(self.num_classes or 0) - 1}')
        return index

    def _values(self, fields: Sequence[Any]) -> list[float]:
        try:
            values = [float(field) for field in fields]
        except (TypeError, ValueError) as error:
            raise ValueError(f'values {list(fields)} are not numbers') from error
        if not values or not all(math.isfinite(value) for value in values):
            raise ValueError(f'expected finite numbers as values, got {list(fields)}')
        self.num_values = self.num_values or len(values)
        if len(values) != self.num_values:
            raise ValueError(f'expected {self.num_values} values, got {len(values)}')
        return values


class TextRecords(Sequence[dict[str, Any]]):
    """The records of a text list, parsed when they are asked for.

    A list of a million clips is held as the bytes of its file and 16 bytes a line, in a handful of objects: nothing is
    made when it is read but these, and forked worker processes share them, for looking at a record writes to none.
    Every line is checked once, when the list is opened.

    Args:
        ann_file: Text file of ``video audio label`` lines, UTF-8.
        labels: What makes labels of the label columns.

    Raises:
        ValueError: If a line is malformed; it is named.
    """

    def __init__(self, ann_file: str, labels: LabelParser) -> None:
        content = Path(ann_file).read_bytes()
        if b'\r' in content:
            content = content.replace(b'\r\n', b'\n').replace(b'\r', b'\n')
        self._content, self._labels = content, labels
        self._starts = _line_starts(content)
        self._rows = self._check(ann_file)

    def _check(self, ann_file: str) -> np.ndarray:
        """Parses every line, keeps nothing; returns the numbers of the lines that are not empty, from 0 on."""
        parse_label = lru_cache(_LABELS_REMEMBERED)(lambda text: self._labels.parse(text.split()))
        empty, row = [], -1
        try:
            for row, line in enumerate(io.TextIOWrapper(io.BytesIO(self._content), encoding='utf-8')):
                fields = line.split(None, 2)
                if len(fields) > 1:
                    _check_paths(fields[0], fields[1])
                    parse_label(fields[2] if len(fields) > 2 else '')
                elif fields:
                    raise ValueError(f"expected 'video audio label', got {line.strip()!r}")
                else:  # usually the last line
                    empty.append(row)
        except UnicodeDecodeError as error:
            row = self._content.count(b'\n', 0, _first_undecodable(self._content))  # the reader was ahead of the lines
            raise ValueError(f'{ann_file}, line {row + 1}: not UTF-8 ({error.reason}); convert the file') from error
        except ValueError as error:
            raise ValueError(f'{ann_file}, line {row + 1}: {error}') from error
        return np.delete(np.arange(row + 1), empty)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, index: slice) -> TextRecords: ...

    def __getitem__(self, index: int | slice) -> dict[str, Any] | TextRecords:
        """A record, made anew at every call; or some of them, without parsing them."""
        if isinstance(index, slice):
            return self._with_rows(self._rows[index])
        row = self._rows[index]
        fields = self._content[self._starts[row] : self._starts[row + 1]].decode().split()
        return _record(fields[0], fields[1], fields[2:], f'line {row + 1}', self._labels)

    def take(self, indices: Sequence[int]) -> TextRecords:
        """The records listed, in that order, without parsing them."""
        return self._with_rows(self._rows[np.asarray(indices, dtype=np.int64)])

    def _with_rows(self, rows: np.ndarray) -> TextRecords:
        other = copy.copy(self)
        other._rows = rows
        return other


def _line_starts(content: bytes) -> np.ndarray:
    """Where lines begin, and the end: ``(lines + 1,)`` int64, or one more after a line end at the end of the file."""
    found = [np.zeros(1, np.int64)]
    codes = np.frombuffer(content, np.uint8)
    for start in range(0, len(codes), _CHUNK_BYTES):
        found.append(np.flatnonzero(codes[start : start + _CHUNK_BYTES] == ord('\n')) + (start + 1))
    return np.concatenate([*found, [len(content)]])


def _first_undecodable(content: bytes) -> int:
    try:
        content.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(content)


def load_annotations(ann_file: str, labels: LabelParser) -> tuple[Sequence[dict[str, Any]], dict[str, Any]]:
    """Reads an annotation file.

    Returns:
        The records (of text: :class:`TextRecords`), and the meta information of a JSON file (empty for text).

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it has no samples, or a record is malformed; the line is named.
    """
    if not Path(ann_file).is_file():
        raise FileNotFoundError(f'annotation file {ann_file} does not exist; check ann_file and data_root')
    metainfo: dict[str, Any] = {}
    records: Sequence[dict[str, Any]]
    if ann_file.endswith('.json'):
        records, metainfo = _load_json(ann_file, labels)
    else:
        records = TextRecords(ann_file, labels)
    if not records:
        raise ValueError(f"annotation file {ann_file} has no samples, expected lines of 'video audio label'")
    return records, metainfo


def _load_json(ann_file: str, labels: LabelParser) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    content = load(ann_file)
    if not isinstance(content, dict) or 'data_list' not in content:
        raise ValueError(f"{ann_file}: expected a dict of 'metainfo' and 'data_list', got {type(content).__name__}")
    records = []
    for number, item in enumerate(content['data_list']):
        position = f'data_list[{number}]'
        try:
            label = item.get('label', [])
            fields = list(label) if isinstance(label, (list, tuple)) else [label]
            video, audio = item.get('video', OWN_SOUND_TRACK), item.get('audio', OWN_SOUND_TRACK)
            records.append(_record(video, audio, fields, position, labels))
        except ValueError as error:
            raise ValueError(f'{ann_file}, {position}: {error}') from error
        if 'sample_id' in item:
            records[-1]['sample_id'] = str(item['sample_id'])
        if 'streams' in item:
            records[-1]['streams'] = streams = tuple(item['streams'])
            if not streams or not set(streams) <= {'video', 'audio'}:
                raise ValueError(f"{ann_file}, {position}: streams must be some of 'video' and 'audio', got {streams}")
    return records, content.get('metainfo', {})


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
