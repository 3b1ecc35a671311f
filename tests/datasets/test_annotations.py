from __future__ import annotations

import copy
import json
import pickle

import pytest

from hicmae_mm.datasets.annotations import LabelParser, TextRecords, load_annotations
from tests.conftest import MediaFolder


def _classes(num_classes: int = 3) -> LabelParser:
    return LabelParser('classification', num_classes=num_classes)


def test_text_list(media: MediaFolder) -> None:
    path = media.annotation('a.mp4 a.wav 0', 'b.mp4 - 2', '', 'c d 1')
    records, metainfo = load_annotations(str(path), _classes())
    assert metainfo == {}
    assert list(records) == [
        dict(video='a.mp4', audio='a.wav', position='line 1', gt_label=0),
        dict(video='b.mp4', audio=None, position='line 2', gt_label=2),
        dict(video='c', audio='d', position='line 4', gt_label=1),
    ]


def test_class_names_values_and_ignored_labels(media: MediaFolder) -> None:
    names = LabelParser('classification', classes=('anger', 'joy'))
    assert load_annotations(str(media.annotation('a b joy', 'a b 0')), names)[0][0]['gt_label'] == 1
    values = load_annotations(str(media.annotation('a b 0.5 -1 2e-1')), LabelParser('regression'))[0]
    assert values[0]['gt_values'] == [0.5, -1.0, 0.2]
    bare = load_annotations(str(media.annotation('a b', 'a b whatever')), LabelParser('unlabelled'))[0]
    assert set(bare[0]) == set(bare[1]) == {'video', 'audio', 'position'}


def test_json(media: MediaFolder) -> None:
    content = dict(
        metainfo=dict(source='test'),
        data_list=[dict(video='a.mp4', label=1, sample_id='x'), dict(audio='b.wav', label=[0])],
    )
    path = media.root / 'ann.json'
    path.write_text(json.dumps(content))
    records, metainfo = load_annotations(str(path), _classes())
    assert metainfo == dict(source='test')
    assert records[0] == dict(video='a.mp4', audio=None, position='data_list[0]', gt_label=1, sample_id='x')
    assert records[1] == dict(video=None, audio='b.wav', position='data_list[1]', gt_label=0)
    path.write_text(json.dumps([1, 2]))
    with pytest.raises(ValueError, match="expected a dict of 'metainfo' and 'data_list', got list"):
        load_annotations(str(path), _classes())
    path.write_text(json.dumps(dict(data_list=[dict(video='a', label=0), dict(video='a', label=9)])))
    with pytest.raises(ValueError, match=r'ann\.json, data_list\[1\]: label 9 is out of range'):
        load_annotations(str(path), _classes())


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('lonely', "line 2: expected 'video audio label', got 'lonely'"),
        ('a b', 'line 2: expected one class label, got 0'),
        ('a b 1 2', 'line 2: expected one class label, got 2'),
        ('a b 3', r'line 2: label 3 is out of range, expected 0\.\.2'),
        ('a b -1', r'line 2: label -1 is out of range, expected 0\.\.2'),
        ('a b joy', "line 2: label 'joy' is not a class index"),
        ('a b 1.5', "line 2: label '1.5' is not a class index"),
        ('- - 1', "line 2: video and audio are both '-'"),
    ],
)
def test_malformed_line_is_named(media: MediaFolder, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_annotations(str(media.annotation('a b 0', line)), _classes())


@pytest.mark.parametrize(
    ('line', 'message'),
    [
        ('a b x 1', 'are not numbers'),
        ('a b nan 1', 'expected finite numbers'),
        ('a b', 'expected finite numbers'),
        ('a b 1', 'expected 2 values, got 1'),
    ],
)
def test_malformed_values_are_named(media: MediaFolder, line: str, message: str) -> None:
    with pytest.raises(ValueError, match=f'line 2: .*{message}'):
        load_annotations(str(media.annotation('a b 0.5 1', line)), LabelParser('regression'))


def test_text_records_are_parsed_when_they_are_asked_for(media: MediaFolder) -> None:
    path = media.root / 'ann.csv'
    path.write_bytes('a.mp4 ä.wav 0\r\n\r\n\xa0b.mp4\u3000-  2 \r\n \n  c d 1'.encode())  # as Windows writes lines
    records = load_annotations(str(path), _classes())[0]
    assert isinstance(records, TextRecords)
    naive = [
        dict(video='a.mp4', audio='ä.wav', position='line 1', gt_label=0),
        dict(video='b.mp4', audio=None, position='line 3', gt_label=2),
        dict(video='c', audio='d', position='line 5', gt_label=1),
    ]
    assert list(records) == naive
    assert list(reversed(records)) == naive[::-1]
    assert [list(records[part]) for part in (slice(2), slice(-1, None))] == [naive[:2], naive[-1:]]
    assert list(records.take([2, 0, -2])) == [naive[2], naive[0], naive[1]]
    assert list(copy.deepcopy(records)) == list(pickle.loads(pickle.dumps(records))) == naive
    for index in (3, -4):
        with pytest.raises(IndexError):
            records[index]
    records[0]['video'] = 'changed'
    assert records[0] == naive[0]


def test_line_ends_are_found_across_chunks(media: MediaFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [f'{"v" * (number % 7)}{number} a {number % 3}' for number in range(50)]
    for ending in ('', '\n'):
        (media.root / 'ann.csv').write_text('\n'.join(lines) + ending)
        for chunk in (1, 5, 64):
            monkeypatch.setattr('hicmae_mm.datasets.annotations._CHUNK_BYTES', chunk)
            records = load_annotations(str(media.root / 'ann.csv'), _classes())[0]
            assert [f'{item["video"]} {item["audio"]} {item["gt_label"]}' for item in records] == lines


def test_undecodable_line_is_named(media: MediaFolder) -> None:
    path = media.root / 'ann.csv'
    path.write_bytes(b'a b 0\n' * 3000 + b'a \xff 0\n' + b'a b 0\n')
    with pytest.raises(ValueError, match=r'ann\.csv, line 3001: not UTF-8 \(invalid start byte\)'):
        load_annotations(str(path), _classes())


def test_missing_and_empty_files(media: MediaFolder) -> None:
    with pytest.raises(FileNotFoundError, match=r'none\.csv does not exist; check ann_file and data_root'):
        load_annotations(str(media.root / 'none.csv'), _classes())
    with pytest.raises(ValueError, match=r'ann\.csv has no samples'):
        load_annotations(str(media.annotation('')), _classes())


def test_label_parser_options() -> None:
    with pytest.raises(ValueError, match='task must be one of'):
        LabelParser('detection')
    with pytest.raises(ValueError, match='needs num_classes'):
        LabelParser('classification')
    with pytest.raises(ValueError, match='num_classes=3, but metainfo names 2 classes'):
        LabelParser('classification', classes=('a', 'b'), num_classes=3)


def test_a_class_and_values_at_once(media: MediaFolder) -> None:
    labels = LabelParser('multitask', classes=('calm', 'worry'))
    records, _ = load_annotations(str(media.annotation('a b worry 0.5 -2', 'c d 0 1 3')), labels)
    assert [(record['gt_label'], record['gt_values']) for record in records] == [(1, [0.5, -2.0]), (0, [1.0, 3.0])]
    with pytest.raises(ValueError, match='line 2: expected 2 values, got 1'):
        load_annotations(str(media.annotation('a b 0 1 2', 'a b 0 1')), LabelParser('multitask', num_classes=2))
    with pytest.raises(ValueError, match='line 1: expected finite numbers'):
        load_annotations(str(media.annotation('a b 0')), LabelParser('multitask', num_classes=2))
    with pytest.raises(ValueError, match='line 1: expected one class label, got 0'):
        load_annotations(str(media.annotation('a b')), LabelParser('multitask', num_classes=2))


def test_label_columns_choose_and_order(media: MediaFolder) -> None:
    ann_file = str(media.annotation('a b 4 0 0.5', 'c d 2 1 0.25'))

    def parsed(task: str, *columns: int) -> list[dict]:
        records, _ = load_annotations(ann_file, LabelParser(task, num_classes=5, columns=columns))
        return [{key: record[key] for key in record if key.startswith('gt_')} for record in records]

    assert parsed('classification', 1) == [dict(gt_label=0), dict(gt_label=1)]
    assert parsed('regression', 2, 0) == [dict(gt_values=[0.5, 4.0]), dict(gt_values=[0.25, 2.0])]
    assert parsed('multitask', 1, 2) == [dict(gt_label=0, gt_values=[0.5]), dict(gt_label=1, gt_values=[0.25])]
    assert parsed('unlabelled', 7) == [{}, {}]
    with pytest.raises(ValueError, match=r'line 1: label_columns=\(3,\), but there are 3 label columns'):
        parsed('classification', 3)
    for columns in ((), (-1,)):
        with pytest.raises(ValueError, match='label_columns must list column numbers'):
            parsed('classification', *columns)
