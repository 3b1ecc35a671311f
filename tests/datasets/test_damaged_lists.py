"""Lists and tables that are damaged at random: a right reading, or one short line that names the file."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from hicmae_mm.datasets.annotations import load_annotations
from hicmae_mm.datasets.faces.number_table import read_numbers
from hicmae_mm.datasets.labels import LabelParser
from hicmae_mm.datasets.preparation.listed_clips import clean_list, list_clips

ITEMS = [
    dict(video='a', audio='b', label='x', streams=['video'], sample_id='s', speaker='q'),
    dict(video='c', label=[1]),
]
SOUND: dict[str, bytes] = {
    'list.txt': b'a.mp4 a.wav 0\nb.mp4 - 1\nc/d e.flac 2\n',
    'list.json': json.dumps(dict(metainfo=dict(classes=['x', 'y', 'z']), data_list=ITEMS)).encode(),
    'boxes.csv': b'frame,x,y,w,h\n0,1,2,3,4\n1,1.5,2,3,4\n',
}
INSERTED = (b'"', b'\0', b'\xff\xfe', b'\xef\xbb\xbf', b'\r', b'\n', b',', b'{', b'[', b'1' * 30, b'1e999', b'NaN')
INSERTED += (b'true', b'null', b'\xc3', b'\xd9\xa1', b'-', b'\x85', b'\xe2\x80\xa8', b' ', b'\t')


def damaged(content: bytes, generator: random.Random) -> bytes:
    data = bytearray(content)
    for _ in range(generator.randint(1, 6)):
        place, kind = generator.randrange(len(data) + 1), generator.randrange(5)
        if kind == 0:
            data[place:place] = generator.choice(INSERTED)
        elif kind == 1:
            del data[place : place + generator.randint(1, 5)]
        elif kind == 2:
            data[place : place + 1] = bytes([generator.randrange(256)])
        elif kind == 3:
            data = data[:place]
        else:
            data = bytearray(bytes(data).decode('utf-8', 'replace').encode('utf-16'))
    return bytes(data)


def read_and_rewrite(path: Path) -> None:
    clips, _ = list_clips(path, '', {})
    written = path.with_name(f'clean_{path.name}')
    written.write_text(clean_list(path, clips, [True] * len(clips)), encoding='utf-8')
    assert [clip.name for clip in list_clips(written, '', {})[0]] == [clip.name for clip in clips]


def read_as(task: str) -> Callable[[Path], object]:
    return lambda path: list(load_annotations(str(path), LabelParser(task, num_classes=3))[0])


@pytest.mark.parametrize('name', SOUND)
def test_damaged_files_are_read_or_named(tmp_path: Path, name: str) -> None:
    path, generator = tmp_path / name, random.Random(0)
    readers: list[Callable[[Path], object]] = [read_and_rewrite, read_as('classification'), read_as('regression')]
    if name.endswith('.csv'):
        readers = [lambda path: list(read_numbers(path, ('frame', 'x', 'y', 'w', 'h')))]
    num_read, messages = 0, []
    for _ in range(400):
        path.write_bytes(damaged(SOUND[name], generator))
        for read in readers:
            try:
                read(path)
                num_read += 1
            except ValueError as error:
                messages.append(str(error))
    assert all(name in text and '\n' not in text and len(text) < 600 for text in messages)
    assert 0 < num_read < 400 * len(readers)
