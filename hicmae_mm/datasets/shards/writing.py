"""Writing shards: in parallel, whole or not at all, the same bytes however often it was interrupted.

Which clips a shard gets follows from the list and the settings alone. Clips are packed by worker processes; this one
writes them in order. A finished shard first gets a line in ``journal.jsonl``, then its name; the index is written when
all shards are there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from webdataset import TarWriter

from hicmae_mm.datasets.preparation.pool import Failure, run_parallel
from hicmae_mm.datasets.shards.index import INDEX_FILE, ShardRecord, index_text
from hicmae_mm.datasets.shards.packing import ClipPacker, ListedClip
from hicmae_mm.utils.files import exclusive, read_json_object, replaced_file, write_text

JOURNAL_FILE, REPORT_FILE, SETTINGS_FILE = 'journal.jsonl', 'report.json', 'settings.json'
_NUM_PROBES = 16  # clips that tell how large one is
_MIB = 2**20


@dataclass(frozen=True)
class PackingPlan:
    """Describes what goes into the shards.

    Attributes:
        clips: Clips in the order of the list.
        packer: Makes the members of a clip.
        streams: Streams that are packed.
        metainfo: Meta information of the list, which is copied to the index.
        samples_per_shard: Clips of a shard, broken ones included; None means as many as make ``shard_megabytes``.
        shard_megabytes: Size of a shard (MiB), estimated from clips spread over the list.
        seed: Seed of the order of packing. None keeps the order of the list. Clips that are together in a shard
            come together in every epoch of a training, so a list that is sorted by class or speaker should be shuffled.

    Raises:
        ValueError: If not exactly one of ``samples_per_shard`` and ``shard_megabytes`` is given, and above 0.
    """

    clips: Sequence[ListedClip]
    packer: ClipPacker
    streams: Sequence[str]
    metainfo: Mapping[str, Any]
    samples_per_shard: int | None = 1000
    shard_megabytes: float | None = None
    seed: int | None = 0

    def __post_init__(self) -> None:
        given = [value for value in (self.samples_per_shard, self.shard_megabytes) if value is not None]
        if len(given) != 1 or given[0] <= 0:
            raise ValueError(
                'one of samples_per_shard and shard_megabytes must be given, and above 0, got '
                f'{self.samples_per_shard} and {self.shard_megabytes}'
            )

    def settings(self) -> dict[str, Any]:
        """Returns all settings that determine the bytes of the shards, as JSON values."""
        digest = hashlib.sha256()
        for clip in self.clips:
            digest.update(repr((clip.sample_id, clip.position, clip.label, clip.streams)).encode())
        options = asdict(self.packer) | dict(
            made_by='make_shards',
            list_sha256=digest.hexdigest(),
            num_listed=len(self.clips),
            streams=self.streams,
            samples_per_shard=self.samples_per_shard,
            shard_megabytes=self.shard_megabytes,
            seed=self.seed,
        )
        plain: dict[str, Any] = json.loads(json.dumps(options))
        return plain

    def order(self) -> np.ndarray:
        """Numbers of the clips in the order in which they are packed."""
        if self.seed is None:
            return np.arange(len(self.clips))
        return np.random.default_rng(self.seed).permutation(len(self.clips))


def write_shards(plan: PackingPlan, out_dir: Path, num_workers: int = 0, force: bool = False) -> Iterator[int]:
    """Writes the shards that are missing, then ``index.json`` and ``report.json``.

    Args:
        plan: Plan of what is written.
        out_dir: Output folder, which is created if it does not exist.
        num_workers: Worker processes; 0 works in this process.
        force: Write all shards again.

    Yields:
        Clips that are done, as their number grows.

    Raises:
        RuntimeError: If another run is at work in the folder.
        ValueError: If the folder has shards of another list or other settings, or no clip could be packed.
    """
    with exclusive(out_dir / '.lock', patience_seconds=0):
        per_shard = _claim(plan, out_dir, num_workers, force)
        order = plan.order()
        numbers = [order[start : start + per_shard].tolist() for start in range(0, len(order), per_shard)]
        journal = _clean_journal(out_dir, len(numbers))
        if len(journal) < len(numbers):
            (out_dir / INDEX_FILE).unlink(missing_ok=True)  # a folder that has one is complete
        done = 0
        for number, members in enumerate(numbers):
            if number not in journal:
                clips = [plan.clips[position] for position in members]
                for packed in _write_shard(plan.packer, clips, number, out_dir, num_workers, journal):
                    yield done + packed
            done += len(members)
            yield done
        _finish(plan, out_dir, [journal[number] for number in range(len(numbers))], per_shard)


def shard_name(number: int) -> str:
    """Returns the file name of a shard."""
    return f'shard-{number:06d}.tar'


def _claim(plan: PackingPlan, out_dir: Path, num_workers: int, force: bool) -> int:
    """Makes the folder one of these settings; returns the clips of a shard."""
    path, wanted = out_dir / SETTINGS_FILE, plan.settings()
    if path.exists() and not force:
        found = read_json_object(path, 'make the shards again by --force')
        different = [key for key, value in wanted.items() if found.get(key) != value]
        if different:
            changes = ', '.join(f'{key}: {found.get(key)} there, {wanted[key]} asked for' for key in different)
            raise ValueError(f'{out_dir} has shards of other settings ({changes}); choose another folder, or --force')
        return int(found['clips_per_shard'])
    if not force and next(out_dir.glob('shard-*.tar'), None) is not None:
        raise ValueError(f'{out_dir} has shards, but no {SETTINGS_FILE}; choose another folder, or --force')
    for name in (INDEX_FILE, SETTINGS_FILE, JOURNAL_FILE, REPORT_FILE):
        (out_dir / name).unlink(missing_ok=True)
    for shard in out_dir.glob('shard-*.tar'):
        shard.unlink()
    per_shard = plan.samples_per_shard or _clips_of(plan.shard_megabytes or 0, plan, num_workers)
    write_text(path, json.dumps(wanted | dict(clips_per_shard=per_shard), indent=1) + '\n')
    return per_shard


def _clips_of(megabytes: float, plan: PackingPlan, num_workers: int) -> int:
    """Estimates how many clips fill a shard of a given size, from the mean of a few clips."""
    positions = np.unique(np.linspace(0, len(plan.clips) - 1, min(_NUM_PROBES, len(plan.clips))).round().astype(int))
    probes = [plan.clips[position] for position in positions]
    sizes = [
        sum(len(member) for member in found.values())
        for _, found in run_parallel(plan.packer, probes, num_workers)
        if not isinstance(found, Failure)
    ]
    if not sizes:
        raise ValueError(f'none of {len(probes)} clips could be packed, so their size is unknown: check --data-root')
    return max(1, int(megabytes * _MIB / np.mean(sizes)))


def _clean_journal(out_dir: Path, num_shards: int) -> dict[int, dict[str, Any]]:
    """Records of the shards that are there; leaves the journal without lines that were cut or have no shard."""
    path, records = out_dir / JOURNAL_FILE, {}
    if path.exists():
        for line in path.read_text(encoding='utf-8').splitlines():
            try:
                record = json.loads(line)
                number, _ = int(record['number']), record['offsets']
            except (ValueError, KeyError, TypeError):
                continue
            if 0 <= number < num_shards and (out_dir / shard_name(number)).exists():
                records[number] = record
    write_text(path, ''.join(json.dumps(record) + '\n' for record in records.values()))
    return records


def _write_shard(
    packer: ClipPacker,
    clips: Sequence[ListedClip],
    number: int,
    out_dir: Path,
    num_workers: int,
    journal: dict[int, dict[str, Any]],
) -> Iterator[int]:
    """Writes a shard, puts its record into the journal; yields how many of its clips are done."""
    waiting: dict[int, dict[str, bytes] | Failure] = {}
    broken: list[dict[str, Any]] = []
    position_of = {clip.position: position for position, clip in enumerate(clips)}
    with replaced_file(out_dir / shard_name(number)) as partial:
        with partial.open('wb') as file, closing(ShardFile(file, number)) as shard:
            written = 0
            for done, (clip, found) in enumerate(run_parallel(packer, clips, num_workers), start=1):
                waiting[position_of[clip.position]] = found
                while written in waiting:  # in the order of the clips, however they come
                    result = waiting.pop(written)
                    if isinstance(result, Failure):
                        broken.append(_broken(clips[written], result))
                    else:
                        shard.add(result)
                    written += 1
                yield done
        journal[number] = dict(number=number, offsets=shard.offsets, broken=broken)
        with (out_dir / JOURNAL_FILE).open('a', encoding='utf-8') as lines:
            lines.write(json.dumps(journal[number]) + '\n')


def _broken(clip: ListedClip, failure: Failure) -> dict[str, Any]:
    return dict(position=clip.position, sample_id=clip.sample_id, kind=failure.kind, reason=failure.reason)


class ShardFile:
    """Writes a tar file, and keeps the positions where its clips begin."""

    def __init__(self, file: BinaryIO, number: int) -> None:
        self._number = number
        # no time and no user: the same clips give the same bytes
        self._writer = TarWriter(file, encoder=False, mtime=0, mode=0o644, user='', group='')
        self.offsets = [0]

    def add(self, members: Mapping[str, bytes]) -> None:
        """Appends a clip. The writer sorts members by their ending, which puts the json first."""
        self._writer.write({'__key__': f'{self._number:06d}-{len(self.offsets) - 1:06d}', **members})
        self.offsets.append(self._writer.tarstream.offset)

    def close(self) -> None:
        """Writes the end of the archive."""
        self._writer.close()


def _finish(plan: PackingPlan, out_dir: Path, journal: Sequence[Mapping[str, Any]], per_shard: int) -> None:
    """Writes the report and the index."""
    broken = [entry for record in journal for entry in record['broken']]
    num_packed = len(plan.clips) - len(broken)
    report = dict(
        num_listed=len(plan.clips),
        num_packed=num_packed,
        num_broken=len(broken),
        num_shards=len(journal),
        clips_per_shard=per_shard,
        megabytes=round(sum(record['offsets'][-1] for record in journal) / _MIB, 1),
        broken=broken,
    )
    write_text(out_dir / REPORT_FILE, json.dumps(report, indent=1, ensure_ascii=False) + '\n')
    if num_packed == 0:
        raise ValueError(f'none of {len(plan.clips)} clips could be packed, see {out_dir / REPORT_FILE}')
    shards = [ShardRecord(shard_name(record['number']), record['offsets']) for record in journal]
    write_text(out_dir / INDEX_FILE, index_text(shards, plan.streams, plan.metainfo, plan.settings()))
