from __future__ import annotations

import multiprocessing
import pickle
from pathlib import Path

import fsspec
import pytest
from fsspec.implementations.asyn_wrapper import AsyncFileSystemWrapper
from fsspec.implementations.memory import MemoryFileSystem

from hicmae_mm.datasets import MediaError
from hicmae_mm.datasets.shards.storage import Place, ShardStorage

CONTENT = bytes(range(256)) * 8


class AsyncMemory(AsyncFileSystemWrapper):
    """A file system with an event loop in a thread, as those of servers are."""

    protocol = 'asyncmemory'

    @classmethod
    def _strip_protocol(cls, path):
        return '/' + path.removeprefix('asyncmemory://').strip('/')

    def __init__(self, **options) -> None:
        super().__init__(fs=MemoryFileSystem(), asynchronous=False)


class Flaky(MemoryFileSystem):
    """The first requests fail."""

    protocol = 'flaky'
    num_failures = 0

    @classmethod
    def _strip_protocol(cls, path):
        return '/' + path.removeprefix('flaky://').strip('/')

    def cat_file(self, path, start=None, end=None, **kwargs):
        if type(self).num_failures:
            type(self).num_failures -= 1
            raise ConnectionResetError('reset by peer')
        return super().cat_file(path, start, end, **kwargs)


@pytest.fixture(params=['path', 'file', 'memory', 'asyncmemory'])
def root(request, tmp_path: Path):
    fsspec.register_implementation('asyncmemory', AsyncMemory, clobber=True)
    if request.param in ('path', 'file'):
        (tmp_path / 'a.tar').write_bytes(CONTENT)
        yield str(tmp_path) if request.param == 'path' else f'file://{tmp_path}'
        return
    MemoryFileSystem.store.clear()
    MemoryFileSystem().pipe('/shards/a.tar', CONTENT)
    yield f'{request.param}://shards'
    MemoryFileSystem.store.clear()


def test_places_are_read(root: str) -> None:
    storage = ShardStorage(root)
    assert storage.is_local == (not root.partition(':')[0].endswith('memory'))
    assert storage.read_file('a.tar') == CONTENT
    storage.fetch([Place('a.tar', 0, 8), Place('a.tar', 512, 1024)])
    found = storage.open(Place('a.tar', 512, 1024))
    assert found.size == 512
    assert bytes(found.read(0, 512)) == CONTENT[512:1024]
    assert bytes(found.read(10, 20)) == CONTENT[522:532]
    assert bytes(storage.open(Place('a.tar', 5, 7)).read(0, 2)) == CONTENT[5:7]  # never fetched


def test_missing_and_short_shards_are_named(root: str) -> None:
    storage = ShardStorage(root)
    places = [Place('b.tar', 0, 8), Place('a.tar', 2000, 4000)]
    storage.fetch(places)
    with pytest.raises(FileNotFoundError, match=r'b\.tar: the shard is missing, the index lists it'):
        storage.open(places[0]).read(0, 8)
    with pytest.raises(MediaError, match=r'a\.tar ends before byte 4000'):
        storage.open(places[1]).read(0, 2000)
    with pytest.raises(FileNotFoundError):
        storage.read_file('index.json')


def _child(storage: ShardStorage, connection) -> None:
    storage.fetch([Place('a.tar', 1, 4)])
    connection.send(bytes(storage.open(Place('a.tar', 1, 4)).read(0, 3)))


@pytest.mark.dist
@pytest.mark.filterwarnings('ignore:.*fork.*:DeprecationWarning')
def test_works_after_a_fork(root: str) -> None:
    storage = ShardStorage(root)
    storage.fetch([Place('a.tar', 0, 2)])
    assert bytes(storage.open(Place('a.tar', 0, 2)).read(0, 2)) == CONTENT[:2]
    here, there = multiprocessing.Pipe()
    process = multiprocessing.get_context('fork').Process(target=_child, args=(storage, there))
    process.start()
    assert here.poll(20), 'the child hangs'
    assert here.recv() == CONTENT[1:4]
    process.join()


def test_survives_pickling_without_its_connections(root: str) -> None:
    storage = ShardStorage(root)
    storage.fetch([Place('a.tar', 0, 2)])
    again = pickle.loads(pickle.dumps(storage))
    assert bytes(again.open(Place('a.tar', 0, 2)).read(0, 2)) == CONTENT[:2]


def test_failed_requests_are_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    fsspec.register_implementation('flaky', Flaky, clobber=True)
    pauses: list[float] = []
    monkeypatch.setattr('time.sleep', pauses.append)
    Flaky().pipe('/shards/a.tar', CONTENT)
    storage, places = ShardStorage('flaky://shards'), [Place('a.tar', i, i + 2) for i in range(3)]
    Flaky.num_failures = 4
    storage.fetch(places)
    assert [bytes(storage.open(place).read(0, 2)) for place in places] == [CONTENT[i : i + 2] for i in range(3)]
    assert pauses == [1, 2]  # three failed, then one
    Flaky.num_failures = 100
    storage.fetch(places[:1])
    with pytest.raises(ConnectionResetError, match='reset by peer'):
        storage.open(places[0])
    Flaky.num_failures = 0
    Flaky.store.clear()


def test_few_files_stay_open(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f'{number}.tar').write_bytes(bytes([number]) * 4)
    storage = ShardStorage(str(tmp_path))
    opened = [storage.open(Place(f'{number}.tar', 0, 4)) for number in range(40)]
    for number in (*range(40), 0):
        assert opened[number].read(1, 3) == bytes([number]) * 2
    assert len(storage._files) == 16
