"""Exported models that are damaged or forged end in one error that names them."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.export.manifest import read_manifest
from hicmae_mm.export.session import open_session

RIGHT: dict[str, Any] = dict(
    format='onnx',
    file='model.onnx',
    inputs=dict(video=dict(shape=[3, 4, 32, 32], mean=[0.0], std=[1.0])),
    outputs=dict(pred_score=dict(kind='probabilities', names=['a', 'b'])),
    config='model = dict()',
    format_version=1,
    batch_size=None,
)
VALUES: list[tuple[str, Any]] = [
    *(('format', value) for value in (None, 1, 'pickle', [], {}, '', 'x' * 100_000, ...)),
    *(('file', value) for value in (None, 1, '../model.onnx', '/etc/passwd', 'model.pt2', '', 'a\0b', ...)),
    *(('inputs', value) for value in (None, 1, 'x', [], [1], {'video': None}, {'video': {}}, {'video': []}, ...)),
    *(
        ('inputs', {'video': {'shape': shape}})
        for shape in (None, 3, 'x', [0], [-1], [1.5], ['3'], [None], [True], [[3]])
    ),
    *(('outputs', value) for value in (None, 1, 'x', [], {'a': None}, {'a': {}}, {'a': {'kind': 'x'}}, ...)),
    *(('outputs', {'a': {'kind': 'values', 'names': names}}) for names in (None, 1, [1], [None], [['a']])),
    *(('config', value) for value in (None, 1, [], {}, ...)),
    *(('format_version', value) for value in (None, 'x', [], {}, 2, 10**30, 0, -1, 1.5, True, ...)),
    *(('batch_size', value) for value in ('x', 0, -1, 1.5, True, [], {})),
    ('unknown', 1),
]


@pytest.mark.parametrize(('key', 'value'), VALUES, ids=range(len(VALUES)))
def test_descriptions(tmp_path: Path, key: str, value: Any) -> None:
    content = {name: item for name, item in {**RIGHT, key: value}.items() if item is not ...}
    (tmp_path / 'model.json').write_text(json.dumps(content))
    (tmp_path / 'model.onnx').write_bytes(b'x')
    refused(tmp_path, 'does not describe an exported model')


TEXTS = [
    b'',
    b'{',
    b'[]',
    b'1',
    b'null',
    b'"x"',
    b'[' * 200_000,
    b'\xff',
    b'\0',
    b'{"format_version": ' + b'9' * 9999 + b'}',
]


@pytest.mark.parametrize('content', TEXTS, ids=range(len(TEXTS)))
def test_texts_that_are_no_description(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'model.json').write_bytes(content)
    refused(tmp_path, 'does not describe an exported model')


def test_what_is_no_folder_of_a_model(tmp_path: Path) -> None:
    refused(tmp_path / 'absent', 'there is no such folder')
    refused(tmp_path, 'does not exist: expected a folder')
    os.mkfifo(tmp_path / 'model.json')
    refused(tmp_path, 'does not exist: expected a folder')
    (tmp_path / 'model.json').unlink()
    with (tmp_path / 'model.json').open('wb') as file:
        file.truncate(1 << 40)
    refused(tmp_path, 'bytes, at most')
    (tmp_path / 'model.json').write_text(json.dumps(RIGHT))
    refused(tmp_path, r'model\.onnx does not exist')


GRAPHS = [b'', b'x', b'\0' * 5000, b'PK\x03\x04', b'\x08\x07' + b'\xff' * 100, b'<html>', b'\x80\x02cos\nsystem\n.']


@pytest.mark.parametrize('content', GRAPHS, ids=range(len(GRAPHS)))
def test_graphs(tmp_path: Path, content: bytes) -> None:
    (tmp_path / 'model.json').write_text(json.dumps(RIGHT))
    (tmp_path / 'model.onnx').write_bytes(content)
    with pytest.raises(ValueError, match=r'model\.onnx cannot be run: .*; export it again') as caught:
        open_session(tmp_path)
    assert len(str(caught.value)) < 700


def test_a_program_is_not_opened_unasked(tmp_path: Path) -> None:
    (tmp_path / 'model.json').write_text(json.dumps({**RIGHT, 'format': 'torch-export', 'file': 'model.pt2'}))
    (tmp_path / 'model.pt2').write_bytes(b'x')
    with pytest.raises(ValueError, match='trust'):
        open_session(tmp_path)


def refused(folder: Path, message: str) -> None:
    """Requires one short line that names the description or the folder."""
    with pytest.raises((ValueError, OSError), match=message) as caught:
        read_manifest(folder)
    text = str(caught.value)
    assert folder.name in text
    assert len(text) < 900
