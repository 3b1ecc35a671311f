from __future__ import annotations

import codecs
import json
from pathlib import Path

import pytest

from hicmae_mm.datasets.text_files import (
    decode_text,
    lines_with_ends,
    read_json,
    read_rows,
    read_text,
    shown,
    text_lines,
)

MARKED = {
    'utf-8': b'',
    'utf-8-sig': b'',
    'utf-16-le': codecs.BOM_UTF16_LE,
    'utf-16-be': codecs.BOM_UTF16_BE,
    'utf-32-le': codecs.BOM_UTF32_LE,
    'utf-32-be': codecs.BOM_UTF32_BE,
}


@pytest.mark.parametrize('encoding', MARKED)
@pytest.mark.parametrize('end', ['\n', '\r\n', '\r'])
def test_every_form_of_a_table_is_the_same_table(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / 'table.csv'
    path.write_bytes(MARKED[encoding] + end.join(['name,label', '', ' ä.mp4 , 3 ', '']).encode(encoding))
    assert list(read_rows(path, ',')) == [(1, ['name', 'label']), (3, ['ä.mp4', '3'])]
    assert list(text_lines(read_text(path))) == ['name,label', '', ' ä.mp4 , 3 ']


@pytest.mark.parametrize('mark', [',', '\t', ';'])
def test_spreadsheets_separate_by_other_marks(tmp_path: Path, mark: str) -> None:
    path = tmp_path / 'table.csv'
    path.write_text(f'\nname{mark}label\n"a b"{mark}3\n')
    assert list(read_rows(path, ',')) == [(2, ['name', 'label']), (3, ['a b', '3'])]
    path.write_text('a.mp4  anger \n\n"b".mp4\tfear')
    assert list(read_rows(path)) == [(1, ['a.mp4', 'anger']), (3, ['"b".mp4', 'fear'])]


def test_what_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r'^x, line 2: not UTF-8 \(invalid start byte\); convert the file to UTF-8$'):
        decode_text(b'a\rb\xff', 'x')
    assert decode_text(b'a\xff', 'x', errors='replace') == 'a\ufffd'
    assert decode_text(b'\xef\xbb\xbf\xef\xbb\xbfa', 'x') == 'a'
    with pytest.raises(ValueError, match=r'x, line 1: a zero byte, .* with a byte order mark'):
        decode_text('a b'.encode('utf-16-le'), 'x')
    with pytest.raises(ValueError, match=r'x, line 2: not UTF-16 \(truncated data\)'):
        decode_text('a\nb'.encode('utf-16') + b'\x41', 'x')
    with pytest.raises(FileNotFoundError, match='none does not exist'):
        read_text(tmp_path / 'none')
    with pytest.raises(ValueError, match='is not a file'):
        read_text(tmp_path)
    path = tmp_path / 'table.csv'
    path.write_text('a,b\n' + 'x' * 200_000 + ',1\n')
    with pytest.raises(ValueError, match=r'table\.csv, line 2: not a table of columns \(field larger'):
        list(read_rows(path, ','))


def test_lines_keep_their_ends() -> None:
    text = 'a\r\nb\rc\n\n d'
    assert lines_with_ends(text) == ['a\r\n', 'b\r', 'c\n', '\n', ' d']
    assert ''.join(lines_with_ends(text)) == text
    assert lines_with_ends('') == []


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('{"a": 1,\n "b" 2}', r"f\.json, line 2: not valid JSON \(Expecting ':' delimiter\)"),
        ('{"a": [1,\r\n 2', r'f\.json, line 2: not valid JSON \(.*, the file ends too early\)'),
        ('', r'f\.json, line 1: not valid JSON'),
        ('{"a": 1, "b": 2, "a": 3}', r"f\.json: an object has the key 'a' twice"),
        ('[' * 100_000, r'f\.json: the JSON is nested too deeply for this program'),
        ('[' + '9' * 5000 + ']', r'f\.json: Exceeds the limit'),
    ],
)
def test_malformed_json_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / 'f.json'
    path.write_bytes(text.encode())
    with pytest.raises(ValueError, match=message) as caught:
        read_json(path)
    assert '\n' not in str(caught.value)


def test_json_may_have_a_byte_order_mark(tmp_path: Path) -> None:
    path, content = tmp_path / 'f.json', {'ä': [1, 2.5, None]}
    for encoding in ('utf-8-sig', 'utf-16'):
        path.write_bytes(json.dumps(content, ensure_ascii=False).encode(encoding))
        assert read_json(path) == content


def test_long_values_are_shortened() -> None:
    assert shown('a b') == "'a b'"
    assert shown([1, 2]) == '[1, 2]'
    text = shown('x' * 10_000_000)
    assert text.startswith("'xxx")
    assert text.endswith('... (10000000 characters)')
    assert len(text) < 120
