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
        ('lonely', "line 2: expected 'video audio label', got 'lonely'; a list of names alone is a table"),
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


LINES = ('a.mp4 a.wav 0', 'ä.mp4 - 2', '', 'c d 1')


@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
@pytest.mark.parametrize('encoding', ['utf-8', 'utf-8-sig', 'utf-16'])
def test_lists_of_other_programs_are_the_same_list(media: MediaFolder, encoding: str, end: str) -> None:
    path = media.root / 'ann.csv'
    path.write_bytes(end.join(line.replace(' ', '\t') for line in LINES).encode(encoding))  # as Excel's Unicode text
    assert list(load_annotations(str(path), _classes())[0]) == [
        dict(video='a.mp4', audio='a.wav', position='line 1', gt_label=0),
        dict(video='ä.mp4', audio=None, position='line 2', gt_label=2),
        dict(video='c', audio='d', position='line 4', gt_label=1),
    ]


@pytest.mark.parametrize('label', ['١', '１', '0_1', '1.0', '1e0', '0x1', 'true', '1' * 5000, '²', '-', '1,'])
def test_what_only_looks_like_a_class_index_is_refused(media: MediaFolder, label: str) -> None:
    with pytest.raises(ValueError, match=r'ann\.csv, line 2: label .* is not a class index') as caught:
        load_annotations(str(media.annotation('a b 0', f'a b {label}')), _classes())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize('value', ['١', '1_0', '0x1', 'true', '1,5'])
def test_what_only_looks_like_a_number_is_refused(media: MediaFolder, value: str) -> None:
    with pytest.raises(ValueError, match=r'line 1: values .* are not numbers'):
        load_annotations(str(media.annotation(f'a b {value}')), LabelParser('regression'))


def test_a_long_line_makes_a_short_message(media: MediaFolder) -> None:
    for line in ('x' * 10_000_000, f'a b {"y" * 10_000_000}', f'a b {"1 " * 1_000_000}'):
        for labels in (_classes(), LabelParser('regression', num_values=1)):
            with pytest.raises(ValueError, match=r'ann\.csv, line 1: ') as caught:
                load_annotations(str(media.annotation(line)), labels)
            assert len(str(caught.value)) < 500


def test_likely_mistakes_are_named_with_their_remedy(media: MediaFolder) -> None:
    two, spaces = "line has 2 columns, .* write '-' in the audio column", 'line has 5 columns, .* need the JSON form'
    for labels in (_classes(), LabelParser('regression')):
        with pytest.raises(ValueError, match=two):
            load_annotations(str(media.annotation('a.mp4 0')), labels)
        with pytest.raises(ValueError, match=spaces):
            load_annotations(str(media.annotation('sp ace.mp4 sp ace.wav 0')), labels)


def _write_json(media: MediaFolder, content: object) -> str:
    path = media.root / 'ann.json'
    path.write_bytes(b'\xef\xbb\xbf' + json.dumps(content).encode())
    return str(path)


@pytest.mark.parametrize(
    ('item', 'message'),
    [
        ('a.mp4 - 0', r"data_list\[1\]: expected a dict such as .*, got 'a\.mp4 - 0'"),
        (None, r'data_list\[1\]: expected a dict'),
        (dict(video=5, label=0), r"data_list\[1\]: video must be a path, or '-' for none, got 5"),
        (dict(video=['a.mp4'], label=0), 'video must be a path'),
        (dict(video='', label=0), 'video must be a path'),
        (dict(video='a\0.mp4', label=0), 'video must be a path'),
        (dict(video='a', audio={}, label=0), 'audio must be a path'),
        (dict(label=0), "video and audio are both '-' or missing"),
        (dict(video='a', label=True), 'label True is not a class index'),
        (dict(video='a', label=1.5), r'label 1\.5 is not a class index'),
        (dict(video='a', label=-1), 'label -1 is out of range'),
        (dict(video='a', label=10**30), 'label 10* is out of range'),
        (dict(video='a', label='١'), 'is not a class index'),
        (dict(video='a', label=[[1]]), r'label \[1\] is not a class index'),
        (dict(video='a', label={'a': 1}), 'is not a class index'),
        (dict(video='a', label=None), 'label None is not a class index'),
        (dict(video='a', label=float('nan')), 'label nan is not a class index'),
        (dict(video='a'), 'expected one class label, got 0'),
        (dict(video='a', label=0, streams='video'), 'streams must be some of'),
        (dict(video='a', label=0, streams=[['video']]), 'streams must be some of'),
        (dict(video='a', label=0, sample_id=[1]), r'sample_id must be a text, got \[1\]'),
    ],
)
def test_malformed_json_items_are_named(media: MediaFolder, item: object, message: str) -> None:
    path = _write_json(media, dict(data_list=[dict(video='a', label=0), item]))
    with pytest.raises(ValueError, match=message) as caught:
        load_annotations(path, _classes())
    assert str(caught.value).startswith(f'{path}, data_list[1]: ')


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (dict(data_list={}), "expected a dict as 'metainfo' and a list as 'data_list'"),
        (dict(data_list=[], metainfo=[]), "expected a dict as 'metainfo'"),
        (dict(data_list=[]), 'has no samples'),
        ('text', 'expected a dict of .*, got str'),
    ],
)
def test_malformed_json_lists_are_named(media: MediaFolder, content: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_annotations(_write_json(media, content), _classes())


def test_values_of_json(media: MediaFolder) -> None:
    regression = LabelParser('regression')
    path = _write_json(media, dict(data_list=[dict(video='a', audio=None, label=[1, -0.5], speaker=7)]))
    (record,) = load_annotations(path, regression)[0]
    assert record == dict(video='a', audio=None, position='data_list[0]', gt_values=[1.0, -0.5], speaker='7')
    for label, message in ((True, 'are not numbers'), (10**400, 'finite numbers'), (float('inf'), 'finite numbers')):
        with pytest.raises(ValueError, match=message):
            load_annotations(_write_json(media, dict(data_list=[dict(video='a', label=label)])), regression)


def test_a_list_that_is_no_file_is_refused(media: MediaFolder) -> None:
    with pytest.raises(ValueError, match='is not a file; check ann_file'):
        load_annotations(str(media.root), _classes())


def test_other_forms_of_lists_are_named(media: MediaFolder) -> None:
    with pytest.raises(ValueError, match=r"got 'a\.mp4,a\.wav,0'; separate the columns by spaces or tabs"):
        load_annotations(str(media.annotation('a.mp4,a.wav,0')), _classes())
    with pytest.raises(ValueError, match=r'seems to be JSON, and then its name must end in \.json'):
        load_annotations(str(media.annotation('{"data_list": [{"video": "a.mp4", "label": 0}]}')), _classes())
