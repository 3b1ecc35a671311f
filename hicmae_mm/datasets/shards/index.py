"""Reads and writes the index of a set of shards: it tells where every clip begins, so that any one can be read."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hicmae_mm.datasets.shards.metadata import check_offsets, check_shard_name

INDEX_FILE = 'index.json'
FORMAT, VERSION = 'hicmae_mm shards', 1


@dataclass(frozen=True)
class ShardRecord:
    """Stores what the index says about a shard.

    Attributes:
        name: File, beside the index.
        offsets: Byte at which every clip begins, and the one after the last clip.
    """

    name: str
    offsets: Sequence[int]


class ShardIndex:
    """Places of all clips, as arrays: 24 bytes a clip, which worker processes share.

    Attributes:
        names: Files of the shards.
        shard: ``(N,)`` int32, which file a clip is in.
        start: ``(N,)`` int64, its first byte there.
        stop: ``(N,)`` int64, the byte after its last.
        streams: Streams that were packed.
        metainfo: Meta information of the list that was packed.
    """

    def __init__(self, shards: Sequence[ShardRecord], streams: Sequence[str], metainfo: Mapping[str, Any]) -> None:
        self.names = [shard.name for shard in shards]
        self.streams = tuple(streams)
        self.metainfo = dict(metainfo)
        offsets = [np.asarray(shard.offsets, dtype=np.int64) for shard in shards]
        counts = np.array([len(places) - 1 for places in offsets], dtype=np.int64)
        self.shard = np.repeat(np.arange(len(shards), dtype=np.int32), counts)
        none = np.empty(0, dtype=np.int64)
        self.start = np.concatenate([none, *(places[:-1] for places in offsets)])
        self.stop = np.concatenate([none, *(places[1:] for places in offsets)])
        number = np.arange(len(self.shard)) - np.repeat(np.cumsum(counts) - counts, counts)
        self._number = number.astype(np.int32)

    def __len__(self) -> int:
        return len(self.shard)

    @property
    def run_lengths(self) -> np.ndarray:
        """Numbers of clips that follow one another in the same shard, int64."""
        borders = np.flatnonzero(np.diff(self.shard)) + 1
        return np.diff(np.concatenate([[0], borders, [len(self)]]))

    def name_of(self, index: int) -> str:
        """Returns the name of a clip for error messages."""
        return f'{self.names[self.shard[index]]}, clip {self._number[index]}'

    def keep(self, indices: int | Sequence[int]) -> None:
        """Keeps the first so many clips, or the ones listed, in that order.

        Raises:
            IndexError: If one of them does not exist.
        """
        kept = np.arange(len(self))[:indices] if isinstance(indices, int) else np.asarray(indices, dtype=np.int64)
        for name in ('shard', 'start', 'stop', '_number'):
            setattr(self, name, getattr(self, name)[kept])


def index_text(
    shards: Sequence[ShardRecord], streams: Sequence[str], metainfo: Mapping[str, Any], settings: Mapping[str, Any]
) -> str:
    """Returns the content of an index file: one line per shard."""
    head = dict(format=FORMAT, version=VERSION, num_samples=sum(len(shard.offsets) - 1 for shard in shards))
    head |= dict(streams=list(streams), metainfo=metainfo, settings=settings)
    lines = ',\n'.join(
        json.dumps(dict(name=shard.name, num_samples=len(shard.offsets) - 1, offsets=list(shard.offsets)))
        for shard in shards
    )
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "shards": [\n{lines}\n]}}\n'


def parse_index(content: bytes, name: str) -> ShardIndex:
    """Reads an index file.

    Args:
        content: Content of the index file.
        name: Name in errors.

    Raises:
        ValueError: If it is none, or of another version.
    """
    try:
        found = json.loads(content)
        kind, version = found['format'], found['version']
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(f'{name}: not an index of shards; make_shards.py writes {INDEX_FILE}') from error
    if (kind, version) != (FORMAT, VERSION):
        raise ValueError(f'{name}: {kind!r} of version {version}, this program reads {FORMAT!r} of version {VERSION}')
    try:
        return _index_of(found)
    except (KeyError, TypeError) as error:
        raise ValueError(f'{name}: damaged, {error} is missing or malformed; pack again, or copy it again') from error
    except ValueError as error:
        raise ValueError(f'{name}: {error}; pack again, or copy it again') from error


def _index_of(found: Mapping[str, Any]) -> ShardIndex:
    shards = []
    for line in found['shards']:
        shard = ShardRecord(check_shard_name(line['name']), check_offsets(line['offsets'], 'offsets'))
        if len(shard.offsets) - 1 != line['num_samples']:
            raise ValueError(f'{shard.name} has {line["num_samples"]} clips and {len(shard.offsets)} offsets')
        shards.append(shard)
    if not isinstance(found['streams'], list) or not isinstance(found['metainfo'], dict):
        raise ValueError('streams or metainfo are malformed')
    index = ShardIndex(shards, found['streams'], found['metainfo'])
    if len(index) != found['num_samples']:
        raise ValueError(f'{found["num_samples"]} clips announced, {len(index)} listed; the file was changed')
    return index
