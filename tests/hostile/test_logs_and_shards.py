"""Logs, indexes and shards that are damaged or forged end in an error of one line that names what is wrong."""

from __future__ import annotations

import copy
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.shards.clip import PackedClip
from hicmae_mm.datasets.shards.index import ShardRecord, index_text, parse_index
from hicmae_mm.datasets.shards.storage import MemoryBytes, Place, ShardStorage
from hicmae_mm.visualization.run_log import read_run_log

LINES: list[tuple[bytes, str]] = [
    (b'{', 'line 2 is not JSON'),
    (b'nonsense', 'line 2 is not JSON'),
    (b'{"iter": 1,}', 'line 2 is not JSON'),
    (b'[' * 100000, 'line 2 is not JSON'),
    (b'{"iter": ' + b'9' * 10000 + b', "lr": 1}', 'line 2'),
    (b'[]', 'line 2: expected a dict'),
    (b'1', 'line 2: expected a dict'),
    (b'null', 'line 2: expected a dict'),
    (b'"x"', 'line 2: expected a dict'),
    (b'\xff\xfe', 'not UTF-8'),
    *(
        (b'{"%s": %s, "lr": 1}' % (key, value), 'expected a count')
        for key in (b'iter', b'epoch', b'step')
        for value in (b'null', b'"1"', b'-1', b'1.5', b'true', b'[]', b'{}', b'NaN')
    ),
]


@pytest.mark.parametrize(('line', 'message'), LINES, ids=range(len(LINES)))
def test_logs(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / 'log.json'
    path.write_bytes(b'{"iter": 1, "epoch": 1, "lr": 0.1}\n' + line + b'\n')
    with pytest.raises(ValueError, match=message) as caught:
        read_run_log(path)
    assert 'log.json' in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize('value', [b'[1]', b'{}', b'"x"'])
def test_values_of_a_log_that_are_no_numbers(tmp_path: Path, value: bytes) -> None:
    (tmp_path / 'log.json').write_bytes(b'{"iter": 1, "epoch": 0, "lr": 0.1, "loss": %s}' % value)
    with pytest.raises(ValueError, match='loss is .* expected numbers'):
        read_run_log(tmp_path / 'log.json').series('loss')


INDEX = json.loads(index_text([ShardRecord('a.tar', [0, 512, 1024])], ['video'], {}, {}))


def changed(path: str, value: Any, content: Any) -> Any:
    """A copy with one value replaced, or removed by ``...``."""
    copied = copy.deepcopy(content)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split('.')]
    node = copied
    for part in parents:
        node = node[part]
    if value is ...:
        del node[last]
    else:
        node[last] = value
    return copied


WRONG = (None, 'x', -1, True, [], {}, [None], ['x'], 1.5, 10**15, [[]], ...)
INDEXES = [
    (path, value)
    for path in (
        'shards',
        'shards.0',
        'shards.0.name',
        'shards.0.offsets',
        'shards.0.num_samples',
        'format',
        'version',
        'num_samples',
    )
    for value in WRONG
]
INDEXES = [(path, value) for path, value in INDEXES if (path, value) not in (('shards.0.name', 'x'), ('version', True))]
INDEXES += [('streams', value) for value in (None, 'x', 1, ...)] + [
    ('metainfo', value) for value in (None, 'x', [], ...)
]
INDEXES += [('shards.0.name', name) for name in ('../a.tar', '/etc/passwd', 'a/b', '..', '.', '', 'a\0b', 'a\\b')]
INDEXES += [
    ('shards.0.offsets', offsets) for offsets in ([0, 512, 5], [0, 512, 2**70], [-5, 0, 5], [0, 1], [0.5, 1, 2])
]


@pytest.mark.parametrize(('path', 'value'), INDEXES)
def test_indexes(path: str, value: Any) -> None:
    content = json.dumps(changed(path, value, INDEX)).encode()
    with pytest.raises(ValueError, match=r'^index\.json: ') as caught:
        parse_index(content, 'index.json')
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize('content', [b'', b'{', b'[]', b'1', b'null', b'[' * 100000, b'\xff', b'{"format": 1}'])
def test_files_that_are_no_index(content: bytes) -> None:
    with pytest.raises(ValueError, match=r'index\.json: (not an index|1 of version)'):
        parse_index(content, 'index.json')


META = dict(
    sample_id='a',
    streams=['video', 'audio'],
    label=['1'],
    video=dict(offsets=[0, 10, 20], fps=25.0, seconds=[0.0, 0.04, 0.08]),
    audio=dict(format='flac', num_bytes=100, start_seconds=0.0),
)


def packed(meta: object, size: int | None = None) -> MemoryBytes:
    """A clip whose first record has this content."""
    content = meta if isinstance(meta, bytes) else json.dumps(meta).encode()
    record = tarfile.TarInfo('a.json')
    record.size = len(content) if size is None else size
    return MemoryBytes(record.tobuf(tarfile.USTAR_FORMAT) + content)


def test_a_right_description_is_read() -> None:
    assert PackedClip(packed(META)).meta == META


CLIPS = [
    (path, value)
    for path in ('sample_id', 'streams', 'video', 'audio', 'video.offsets', 'audio.num_bytes', 'audio.format')
    for value in (*WRONG,)
]
_RIGHT = {('streams', 0), ('streams', 1)}
CLIPS = [
    (path, value)
    for path, value in CLIPS
    if not (path == 'sample_id' and value == 'x')
    and not (path == 'audio.format' and value == 'x')
    and not (path == 'streams' and value in ([], ['x']))
    and not (path in ('video', 'audio') and value in (None, ...))
]
CLIPS += [('label', ...)]
CLIPS += [('video.fps', value) for value in ('x', [], True, 1e12)]
CLIPS += [('video.seconds', value) for value in ('x', [0.0], [0.0, 0.1, None], [0.0, 0.1, 'x'], 5, {})]
CLIPS += [('audio.start_seconds', value) for value in ('x', [], True, -1e12)]


@pytest.mark.parametrize(('path', 'value'), CLIPS)
def test_descriptions(path: str, value: Any) -> None:
    with pytest.raises(MediaError, match=r'no clip is here \(.*\); shard and index do not belong together'):
        PackedClip(packed(changed(path, value, META)))


@pytest.mark.parametrize(
    'source',
    [
        packed(b''),
        packed(b'{'),
        packed(b'[]'),
        packed(b'1'),
        packed(b'[' * 100000),
        packed(b'\xff'),
        packed(META, 8**11 - 1),
        MemoryBytes(b''),
        MemoryBytes(b'\0' * 512),
        MemoryBytes(b'x' * 512),
        MemoryBytes(packed(META).read(0, 300)),
    ],
    ids=range(11),
)
def test_records_that_are_no_description(source: MemoryBytes) -> None:
    with pytest.raises(MediaError, match='no clip is here'):
        PackedClip(source)


def test_shards_that_are_no_files_are_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / 'pipe.tar')
    (tmp_path / 'zero.tar').symlink_to('/dev/zero')
    (tmp_path / 'folder.tar').mkdir()
    (tmp_path / 'short.tar').write_bytes(b'short')
    storage = ShardStorage(str(tmp_path))
    for name, message in (('pipe', 'no regular file'), ('zero', 'no regular file'), ('folder', 'no regular file')):
        with pytest.raises(MediaError, match=message):
            storage.open(Place(f'{name}.tar', 0, 100)).read(0, 100)
    with pytest.raises(MediaError, match='was not copied to its end'):
        storage.open(Place('short.tar', 0, 1 << 60)).read(0, 1 << 60)
    os.mkfifo(tmp_path / 'index.json')
    with pytest.raises(ValueError, match='pipe or a device'):
        storage.read_file('index.json')


def test_tar_headers_of_other_programs(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w') as archive:
        archive.addfile(tarfile.TarInfo('other.txt'))
    with pytest.raises(MediaError, match="a record 'other.txt' instead of the json"):
        PackedClip(MemoryBytes(buffer.getvalue()))
