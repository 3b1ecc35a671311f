from __future__ import annotations

import json

import numpy as np
import pytest

from hicmae_mm.datasets.shards.index import ShardIndex, ShardRecord, index_text, parse_index

SHARDS = [ShardRecord('a.tar', [0, 512, 2048]), ShardRecord('empty.tar', [0]), ShardRecord('b.tar', [0, 1024])]


def _index() -> ShardIndex:
    return parse_index(index_text(SHARDS, ('video',), dict(classes=['x']), dict(quality=90)).encode(), 'index.json')


def test_what_was_written_is_read() -> None:
    index = _index()
    assert len(index) == 3
    assert index.names == ['a.tar', 'empty.tar', 'b.tar']
    assert index.shard.tolist() == [0, 0, 2]
    assert index.start.tolist() == [0, 512, 0]
    assert index.stop.tolist() == [512, 2048, 1024]
    assert (index.streams, index.metainfo) == (('video',), dict(classes=['x']))
    assert index.run_lengths.tolist() == [2, 1]
    assert [index.name_of(i) for i in range(3)] == ['a.tar, clip 0', 'a.tar, clip 1', 'b.tar, clip 0']


def test_file_has_counts_and_a_line_per_shard() -> None:
    text = index_text(SHARDS, ('video',), {}, {})
    content = json.loads(text)
    assert content['num_samples'] == 3
    assert [shard['num_samples'] for shard in content['shards']] == [2, 0, 1]
    assert len(text.splitlines()) == 5


@pytest.mark.parametrize(
    ('kept', 'names', 'runs'),
    [
        (2, ['a.tar, clip 0', 'a.tar, clip 1'], [2]),
        (0, [], []),
        ([2, 0, 1], ['b.tar, clip 0', 'a.tar, clip 0', 'a.tar, clip 1'], [1, 2]),
        ([1, 2, 1], ['a.tar, clip 1', 'b.tar, clip 0', 'a.tar, clip 1'], [1, 1, 1]),
    ],
)
def test_part_of_an_index(kept: int | list[int], names: list[str], runs: list[int]) -> None:
    index = _index()
    index.keep(kept)
    assert [index.name_of(i) for i in range(len(index))] == names
    assert index.run_lengths[: len(runs)].tolist() == runs
    assert index.run_lengths.sum() == len(names)


def test_clip_that_does_not_exist_is_refused() -> None:
    with pytest.raises(IndexError):
        _index().keep([3])


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda c: c.pop('format'), 'not an index of shards'),
        (lambda c: c.update(version=2), 'of version 2, this program reads'),
        (lambda c: c.update(num_samples=4), '4 clips announced, 3 listed'),
        (lambda c: c['shards'][0].update(num_samples=1), r'a\.tar has 1 clips and 3 offsets'),
    ],
)
def test_other_files_are_refused(change, message: str) -> None:
    content = json.loads(index_text(SHARDS, ('video',), {}, {}))
    change(content)
    with pytest.raises(ValueError, match=message):
        parse_index(json.dumps(content).encode(), 'x/index.json')
    with pytest.raises(ValueError, match=r'x/index\.json: not an index'):
        parse_index(b'{"half": ', 'x/index.json')


def test_million_clips_take_little_memory() -> None:
    index = ShardIndex([ShardRecord(f'{i}.tar', range(0, 1001 * 512, 512)) for i in range(1000)], ('video',), {})
    arrays = [value for value in vars(index).values() if isinstance(value, np.ndarray)]
    assert len(index) == 10**6
    assert sum(array.nbytes for array in arrays) == 24 * 10**6
