from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hicmae_mm.datasets.annotations import load_annotations
from hicmae_mm.datasets.labels import LabelParser
from hicmae_mm.datasets.tables import is_table, read_table

CLASSES = LabelParser('classification', classes=('calm', 'tense', 'sad'))


def csv_table(path: Path, rows: list[dict]) -> Path:
    names = list(rows[0])
    lines = [
        ','.join(names),
        *(','.join('' if row[name] is None else str(row[name]) for name in names) for row in rows),
    ]
    path.with_suffix('.csv').write_text('\n'.join(lines) + '\n')
    return path.with_suffix('.csv')


def json_table(path: Path, rows: list[dict]) -> Path:
    path.with_suffix('.jsonl').write_text('\n'.join(map(json.dumps, rows)) + '\n')
    return path.with_suffix('.jsonl')


def parquet_table(path: Path, rows: list[dict]) -> Path:
    pa = pytest.importorskip('pyarrow')
    parquet = pytest.importorskip('pyarrow.parquet')
    parquet.write_table(pa.Table.from_pylist(rows), path.with_suffix('.parquet'))
    return path.with_suffix('.parquet')


@pytest.mark.parametrize('write', [csv_table, json_table, parquet_table])
def test_one_table_in_three_forms(tmp_path: Path, write: Callable[[Path, list[dict]], Path]) -> None:
    rows = [
        dict(video='a.mp4', audio=None, text='so be it', label='tense', speaker='s1', age=31, start=0.5, end=2.0),
        dict(video=None, audio=None, text='hello', label='0', speaker='s2', age=None, start=None, end=None),
    ]
    first, second = load_annotations(str(write(tmp_path / 'list', rows)), CLASSES)[0]
    is_csv = write is csv_table
    assert first['columns'] == dict(text='so be it', age='31' if is_csv else 31)
    assert (first['video'], first['audio'], first['gt_label'], first['speaker']) == ('a.mp4', None, 1, 's1')
    assert first['span'] == (0.5, 2.0)
    assert 'absent' not in first  # the sound is that of the video
    assert second['columns'] == dict(text='hello', age=None)
    assert set(second['absent']) == {'video', 'audio', 'age'}
    assert 'span' not in second
    assert second['position'] == ('row 2' if write is parquet_table else f'line {3 if is_csv else 2}')


def test_marks_and_quotes_of_csv(tmp_path: Path) -> None:
    path = tmp_path / 'list.csv'
    path.write_bytes(b'\xef\xbb\xbfvideo;text;label\r\na b.mp4;"well; yes";sad\r\n')
    (record,) = load_annotations(str(path), CLASSES)[0]
    assert (record['video'], record['columns'], record['gt_label']) == ('a b.mp4', dict(text='well; yes'), 2)
    path.write_text('video\tlabel\tstreams\na.mp4\tcalm\tvideo|text\n', encoding='utf-16')
    (record,) = load_annotations(str(path), CLASSES)[0]
    assert record['streams'] == ('video', 'text')


@pytest.mark.parametrize(
    ('head', 'answer'),
    [
        ('video,audio,label', True),
        ('hubert,bert', True),
        ('"video";"my notes"', True),
        ('text\tlabel', True),
        ('label', True),
        ('a.mp4 a.wav 0', False),
        ('a.mp4,a.wav,0', False),
        ('a,b c 0', False),
        ('clip\tsound\thappy', False),  # a text list that tabs separate
        ('video audio label', False),
        ('label,label', True),  # and refused
        ('', False),
    ],
)
def test_headers_are_told_from_lines(tmp_path: Path, head: str, answer: bool) -> None:
    (tmp_path / 'list.txt').write_text(head + '\n')
    assert is_table(tmp_path / 'list.txt') == answer


def test_labels_of_every_kind() -> None:
    assert CLASSES.parse(['calm|sad']) == dict(gt_candidates=[True, False, True])
    assert CLASSES.parse(['0 | 1']) == dict(gt_candidates=[True, True, False])
    assert CLASSES.parse_row(dict(label='calm:0.25|tense:0.75')) == dict(gt_label=1, gt_score=[0.25, 0.75, 0.0])
    assert CLASSES.parse_row(dict(label={'tense': 3, 'sad': 1})) == dict(gt_label=1, gt_score=[0.0, 0.75, 0.25])
    assert LabelParser('classification', classes=('a|b', 'c:1')).parse(['c:1']) == dict(gt_label=1)
    values = LabelParser('regression', value_names=('valence', 'arousal'))
    assert values.parse_row(dict(label='x', values='0.5 -1')) == dict(gt_values=[0.5, -1.0])
    assert values.parse_row(dict(arousal='1', valence='0')) == dict(gt_values=[0.0, 1.0])
    assert values.parse_row(dict(label=[1, 2])) == dict(gt_values=[1.0, 2.0])
    both = LabelParser('multitask', num_classes=2)
    assert both.parse_row(dict(label='1', values=[0.5])) == dict(gt_label=1, gt_values=[0.5])
    assert CLASSES.parse_row(dict(label=2, values='7 8')) == dict(gt_label=2)


@pytest.mark.parametrize(
    ('label', 'message'),
    [
        ('calm|calm', "label 'calm|calm' names a class twice"),
        ('calm|happy', "label 'happy' is not a class index or one of"),
        ('calm|', "label '' is not a class index"),
        ('calm:0.5|sad:-1', 'weights of at least 0'),
        ('calm:0|sad:0', 'one above 0'),
        ('calm:x', 'weights of at least 0'),
        ('calm:1|sad', "label 'calm:1' is not a class index"),
    ],
)
def test_wrong_sets_and_distributions(label: str, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace('|', r'\|')):
        CLASSES.parse([label])


@pytest.mark.parametrize(
    ('name', 'content', 'message'),
    [
        ('a.csv', 'video,label\na.mp4\n', 'a.csv, line 2: 1 columns, the header names 2'),
        ('a.csv', 'video,label\na.mp4,9\n', 'a.csv, line 2: label 9 is out of range'),
        ('a.csv', 'video,label\n,1\n', 'a.csv, line 2: video and audio are both'),
        ('a.csv', 'label,label\n1,1\n', "the header has the column 'label' twice"),
        ('a.csv', 'video,label\n', 'a.csv has no samples, expected a row per sample'),
        ('a.csv', 'video,label,start,end\na,1,3,2\n', 'line 2: start must lie before end, got start=3, end=2'),
        ('a.csv', 'video,label,start\na,1,0:30\n', "line 2: start must be a time in seconds of at least 0, got '0:30'"),
        ('a.jsonl', '{"video": "a", "label": 1}\n[1]\n', 'line 2: not a row of JSON lines .*expected a JSON object'),
        ('a.jsonl', '{"video": "a", "video": "b"}\n', "line 1: not a row of JSON lines .*'video' twice"),
        ('a.jsonl', '{"video"\n', 'line 1: not a row of JSON lines'),
        ('a.parquet', 'nothing', 'not a Parquet file that can be read'),
    ],
)
def test_malformed_tables_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load_annotations(str(tmp_path / name), CLASSES)


def test_a_table_without_a_header_is_named(tmp_path: Path) -> None:
    (tmp_path / 'a.csv').write_text('\n\n')
    with pytest.raises(ValueError, match=r'a\.csv is empty: its first line must name the columns'):
        next(read_table(tmp_path / 'a.csv'))
