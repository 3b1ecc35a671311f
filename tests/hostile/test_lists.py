"""Lists of clips that are damaged, forged or misplaced end in one short error that names them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.datasets.annotations import load_annotations
from hicmae_mm.datasets.labels import LabelParser

CLASSES = LabelParser('classification', classes=('angry', 'happy', 'sad'))
VALUES = LabelParser('regression', num_values=2)
BOTH = LabelParser('multitask', classes=('angry', 'happy'), num_values=1)

WRONG_CLASSES = [
    '3',
    '-1',
    '1.0',
    '1e0',
    '0x1',
    '0_1',
    '١',
    '１',
    '9' * 5000,
    '9' * 19,
    'nan',
    'None',
    'true',
    'Angry',
    'happy,',
    '"happy"',
    '0,1',
    '0;1',
    '𝟏',
    '\x001',
    'x' * 10_000_000,
]
LINES: list[tuple[LabelParser, bytes, str]] = [
    *((CLASSES, f'a.mp4 - {label}'.encode(), 'line 2: (label|a zero byte)') for label in WRONG_CLASSES),
    (CLASSES, b'a.mp4 -', 'line 2: expected one class label, got 0'),
    (CLASSES, b'a.mp4 - 1 2', 'line 2: expected one class label, got 2'),
    (CLASSES, b'my clip.mp4 - 1', 'file names with spaces need the JSON form'),
    (CLASSES, b'a.mp4 1', 'line 2: expected one class label'),
    (CLASSES, b'a.mp4', "line 2: expected 'video audio label'"),
    (CLASSES, b'a.mp4,-,1', 'separate the columns by spaces or tabs'),
    (CLASSES, b'a.mp4;-;1', 'separate the columns by spaces or tabs'),
    (CLASSES, b'- - 1', "line 2: video and audio are both '-'"),
    (CLASSES, b'\xff.mp4 - 1', 'line 2: not UTF-8'),
    (CLASSES, b'a.mp4 - 1\0', 'line 2: a zero byte'),
    (CLASSES, b'\0' * 5000, 'line 2: a zero byte'),
    (CLASSES, b'\x89PNG\r\n\x1a\n' + bytes(range(128, 256)), 'line 2: not UTF-8'),
    (VALUES, b'a.mp4 - 0.1', 'line 2: expected 2 values, got 1'),
    (VALUES, b'a.mp4 - 0.1 0.2 0.3', 'line 2: expected 2 values, got 3'),
    (VALUES, b'a.mp4 -', 'line 2: expected finite numbers'),
    *(
        (VALUES, f'a.mp4 - 0.1 {value}'.encode(), 'line 2: (expected finite numbers|values)')
        for value in ('nan', 'inf', '-Infinity', '1e999', '0,5', '1_0', '0x1p3', '٣', '', '--1', '1e', 'e1')
        if value
    ),
    (BOTH, b'a.mp4 - 0.5 1', 'line 2: label'),
    (BOTH, b'a.mp4 - angry', 'line 2: expected finite numbers'),
    (BOTH, b'a.mp4 - angry nan', 'line 2: expected finite numbers'),
]


@pytest.mark.parametrize(('labels', 'line', 'message'), LINES, ids=range(len(LINES)))
def test_lines(tmp_path: Path, labels: LabelParser, line: bytes, message: str) -> None:
    good = {'classification': b'angry', 'regression': b'0 0', 'multitask': b'angry 0'}[labels.task]
    (tmp_path / 'list.csv').write_bytes(b'a.mp4 - ' + good + b'\n' + line + b'\n')
    check(tmp_path / 'list.csv', labels, message)


RECORD = dict(video='a.mp4', audio='a.wav', label=1)
JSON: list[tuple[Any, str]] = [
    ([], "expected a dict of 'metainfo' and 'data_list', got list"),
    (None, "expected a dict of 'metainfo' and 'data_list', got NoneType"),
    ({}, "expected a dict of 'metainfo' and 'data_list', got dict"),
    (dict(data_list=[]), 'has no samples'),
    (dict(data_list={}), "a list as 'data_list'"),
    (dict(data_list='a.mp4'), "a list as 'data_list'"),
    (dict(data_list=[RECORD], metainfo=[]), "a dict as 'metainfo'"),
    *(
        (dict(data_list=[RECORD, item]), r'data_list\[1\]: expected a dict such as')
        for item in (None, 1, 'a.mp4', [], ['a.mp4', '-', 1], True)
    ),
    *(
        (dict(data_list=[RECORD, {**RECORD, key: value}]), rf'data_list\[1\]: {key} must be a path')
        for key in ('video', 'audio')
        for value in (1, True, [], {}, '', ' ', 'a\0b', ['a.mp4'])
    ),
    *(
        (dict(data_list=[RECORD, {**RECORD, 'label': value}]), r'data_list\[1\]: (label|expected one class)')
        for value in (True, None, 1.5, -1, 3, 10**400, [], [0, 1], {}, 'x', '1.0', [[0]], float('nan'), float('inf'))
    ),
    *(
        (dict(data_list=[RECORD, {**RECORD, 'streams': value}]), r'data_list\[1\]: streams must be')
        for value in ([], 'video', ['two words'], [['video']], None, {}, [1], 1)
    ),
    *(
        (dict(data_list=[RECORD, {**RECORD, key: value}]), rf'data_list\[1\]: {key} must be a text')
        for key in ('sample_id', 'speaker')
        for value in (None, True, [], {}, 1.5)
    ),
    (dict(data_list=[RECORD, dict(label=1)]), 'video and audio are both'),
]


@pytest.mark.parametrize(('content', 'message'), JSON, ids=range(len(JSON)))
def test_json_lists(tmp_path: Path, content: Any, message: str) -> None:
    (tmp_path / 'list.json').write_text(json.dumps(content))
    check(tmp_path / 'list.json', CLASSES, message)


TEXTS = [
    (b'', 'line 1: not valid JSON .*ends too early'),
    (b'{"data_list": [', 'line 1: not valid JSON'),
    (b'{"data_list":\n\n[{},]}', 'line 3: not valid JSON'),
    (b'[' * 200_000, 'nested too deeply'),
    (b'{"data_list": [' + b'{"a":' * 100_000, 'nested too deeply'),
    (b'{"data_list": [], "data_list": []}', "key 'data_list' twice"),
    (b'{"data_list": [{"video": "a.mp4", "label": ' + b'9' * 10_000 + b'}]}', 'digits'),
    (b'\xff{}', 'not UTF-8'),
    (b'\x00{}', 'a zero byte'),
    (b'\xef\xbb\xbf', 'not valid JSON'),
    (b'version https://git-lfs.github.com/spec/v1\n', 'not valid JSON'),
]


@pytest.mark.parametrize(('content', 'message'), TEXTS, ids=range(len(TEXTS)))
def test_texts_that_are_no_json_list(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / 'list.json').write_bytes(content)
    check(tmp_path / 'list.json', CLASSES, message)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.csv')
    (tmp_path / 'zero.csv').symlink_to('/dev/zero')
    (tmp_path / 'self.csv').symlink_to('self.csv')
    (tmp_path / 'folder.json').mkdir()
    (tmp_path / 'empty.csv').touch()
    for name, message in (
        ('pipe.csv', 'is not a file'),
        ('zero.csv', 'is not a file'),
        ('self.csv', 'does not exist|symbolic links'),
        ('folder.json', 'is not a file'),
        ('absent.csv', 'does not exist'),
        ('empty.csv', 'has no samples'),
    ):
        check(tmp_path / name, CLASSES, message)


def check(path: Path, labels: LabelParser, message: str) -> None:
    """Requires one short line that names the list."""
    with pytest.raises((ValueError, OSError), match=message) as caught:
        load_annotations(str(path), labels)
    text = str(caught.value)
    assert path.name in text
    assert len(text) < 700
    assert '\n' not in text
