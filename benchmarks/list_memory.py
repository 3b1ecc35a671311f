"""Measures what a long annotation list costs: seconds to open it, memory of the main process and of loader workers.

python benchmarks/list_memory.py --lines 1100000 --json list_memory.json

A list as long as VoxCeleb2's is made up, unless one is given. No media are opened: a sample is what the list says of
it. `resident` counts all memory that a process sees, shared pages included; `private` only what it does not share with
any other process, which is what one worker more costs. Workers are forked after the list was opened.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset, get_worker_info

from hicmae_mm.datasets import AudioVisualDataset, SeededSampler
from hicmae_mm.measuring import peak_memory_mb
from hicmae_mm.utils.files import write_text

MIB = 2**20
_BATCH = 256


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure start and memory of long annotation lists')
    parser.add_argument('list', nargs='?', type=Path, help='annotation list; default: one is made up')
    parser.add_argument('--lines', type=int, default=1_100_000, help='lines of the list that is made up')
    parser.add_argument('--touch', type=int, default=100_000, help='samples that every worker looks at')
    parser.add_argument('--num-workers', type=int, default=2, help='worker processes')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    args = parser.parse_args(arguments)
    if min(args.lines, args.touch, args.num_workers) < 1:
        parser.error('--lines, --touch and --num-workers must be at least 1')
    return args


def write_list(path: Path, lines: int) -> None:
    """Writes a list as long, and with names as long, as VoxCeleb2's."""
    with path.open('w', encoding='utf-8') as file:
        for number in range(lines):
            name = f'id{number // 200:05d}/{number * 2654435761 % 2**32:08x}abc/{number % 200:05d}'
            file.write(f'dev/mp4/{name}.mp4 dev/wav/{name}.wav\n')


def memory_mib() -> dict[str, float]:
    """Returns the memory of this process in MiB: ``resident``, and ``private``, which no other process shares."""
    sizes = {}
    for line in Path('/proc/self/smaps_rollup').read_text(encoding='ascii').splitlines()[1:]:
        name, size, *_ = line.split()
        sizes[name] = int(size) / 1024
    private = sizes['Private_Clean:'] + sizes['Private_Dirty:']
    return dict(resident=round(sizes['Rss:'], 1), private=round(private, 1))


class WatchedDataset(Dataset):
    """Looks at samples, and returns the worker's number and memory at the last of a batch."""

    def __init__(self, dataset: AudioVisualDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitems__(self, indices: Sequence[int]) -> list[dict[str, Any]]:
        """Looks at a batch of samples."""
        before = memory_mib()
        for index in indices:
            self.dataset.get_data_info(index)
        info = get_worker_info()
        assert info is not None
        return [dict(worker=info.id, before=before, after=memory_mib())]


def measure_workers(dataset: AudioVisualDataset, num_workers: int, touch: int) -> list[dict[str, float]]:
    """Returns the MiB of every worker before its first and after its last sample, and finally of the main process."""
    watched = WatchedDataset(dataset)
    loader = DataLoader(
        watched,
        batch_size=_BATCH,
        sampler=SeededSampler(dataset, seed=0),
        num_workers=num_workers,
        collate_fn=lambda batch: batch[0],
    )
    workers: dict[int, dict[str, float]] = {}
    for seen, batch in enumerate(loader, start=1):
        first = workers.setdefault(batch['worker'], dict(private_at_start=batch['before']['private']))
        first |= dict(private=batch['after']['private'], resident=batch['after']['resident'])
        if seen * _BATCH >= touch * num_workers:
            break
    for numbers in workers.values():
        numbers['growth'] = round(numbers['private'] - numbers['private_at_start'], 1)
    return [workers[number] for number in sorted(workers)]


def measure(ann_file: Path, num_workers: int, touch: int) -> dict[str, Any]:
    """Opens a list and lets workers look at it.

    Returns:
        Seconds, and memory in MiB.
    """
    Path('/proc/self/clear_refs').write_text('5')  # the peak so far is forgotten
    before, wall, cpu = memory_mib(), time.perf_counter(), time.process_time()
    dataset = AudioVisualDataset(str(ann_file), pipeline=[], task='unlabelled')
    seconds = dict(wall=round(time.perf_counter() - wall, 2), cpu=round(time.process_time() - cpu, 2))
    after, peak = memory_mib(), peak_memory_mb(torch.device('cpu'))
    access = time.process_time()
    for index in range(0, len(dataset), max(len(dataset) // 10_000, 1)):
        dataset.get_data_info(index)
    looked_at = len(range(0, len(dataset), max(len(dataset) // 10_000, 1)))
    return dict(
        clips=len(dataset),
        list_mib=round(ann_file.stat().st_size / MIB, 1),
        open_seconds=seconds,
        access_microseconds=round((time.process_time() - access) / looked_at * 1e6, 1),
        main_before=before,
        main_after=after,
        main_extra=round(after['resident'] - before['resident'], 1),
        main_peak_extra=round(max(peak, after['resident']) - before['resident'], 1),
        workers=measure_workers(dataset, num_workers, touch),
        main_after_sampling=memory_mib(),
    )


def describe(found: dict[str, Any], touch: int) -> str:
    """Returns the numbers as text."""
    lines = [
        f'{found["clips"]} clips, a list of {found["list_mib"]} MiB',
        f'opened in {found["open_seconds"]["wall"]} s ({found["open_seconds"]["cpu"]} s of CPU); '
        f'a look at a clip: {found["access_microseconds"]} us',
        f'main process: {found["main_before"]["resident"]} MiB before, {found["main_after"]["resident"]} after: '
        f'+{found["main_extra"]} (peak +{found["main_peak_extra"]})',
    ]
    for number, worker in enumerate(found['workers']):
        lines.append(
            f'worker {number}: {worker["private_at_start"]} MiB of its own at its first sample, {worker["private"]} '
            f'after {touch} samples: +{worker["growth"]} ({worker["resident"]} resident, shared pages included)'
        )
    return '\n'.join(lines)


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and prints."""
    args = parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        ann_file = args.list
        if ann_file is None:
            ann_file = Path(folder) / 'list.csv'
            write_list(ann_file, args.lines)
        found = measure(ann_file, args.num_workers, args.touch)
    if args.json is not None:
        write_text(args.json, json.dumps(found, indent=1) + '\n')
    print(describe(found, args.touch))
    return 0


if __name__ == '__main__':
    sys.exit(main())
