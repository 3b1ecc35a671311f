"""Lists what `benchmarks/run.py` measures: each job is a command of its own process that writes its numbers as JSON."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BENCHMARK = 'tools/analysis_tools/benchmark.py'
PARTS = ('model', 'data', 'lists', 'ranks', 'gpu', 'export', 'quickstart')
# the whole run stays under a quarter of an hour without the others
DEFAULT_PARTS = ('model', 'data', 'lists', 'ranks', 'gpu')
PRETRAIN = 'configs/hicmae_base_pretrain_voxceleb2.py'
SHARDS = 'configs/hicmae_base_pretrain_voxceleb2_shards.py'
FINETUNE = 'configs/hicmae_base_cremad.py'
NANO_PRETRAIN = 'configs/hicmae_nano_pretrain_synthetic.py'
NANO_FINETUNE = 'configs/hicmae_nano_synthetic.py'


@dataclass(frozen=True)
class Job:
    """Describes a measurement.

    Attributes:
        name: key in the results.
        command: what follows ``python``; without the option that names the file of the numbers.
        json_option: that option.
        json_file: the file, if it is always the same; None means any.
    """

    name: str
    command: tuple[str, ...]
    json_option: str | None = '--json'
    json_file: Path | None = None

    @property
    def line(self) -> str:
        """Returns the command as one would type it."""
        return shlex.join(['python', *self.command])


@dataclass(frozen=True)
class Size:
    """States how much is measured.

    Attributes:
        is_quick: small models and few clips, to see that everything works; the numbers mean nothing.
        threads: of the model's computations.
    """

    is_quick: bool
    threads: int


def model_jobs(size: Size) -> Iterator[Job]:
    """Steps and forward passes, against the published style in the same run."""
    threads = ('--threads', str(size.threads))
    if size.is_quick:
        small = ('--batch-size', '2', '--iters', '1', '--warmup', '1', *threads)
        yield Job('pretrain', (BENCHMARK, 'train', NANO_PRETRAIN, *small, '--baseline'))
        return
    often = ('--batch-size', '4', '--iters', '5', '--warmup', '1', *threads)
    seldom = ('--batch-size', '4', '--iters', '3', '--warmup', '1', *threads)
    yield Job('pretrain', (BENCHMARK, 'train', PRETRAIN, *often, '--baseline', '--singly'))
    yield Job('finetune', (BENCHMARK, 'train', FINETUNE, *seldom, '--baseline', '--checkpointing'))
    yield Job('infer', (BENCHMARK, 'infer', FINETUNE, *often, '--baseline', '--compile'))


def data_jobs(size: Size) -> Iterator[Job]:
    """Pipelines in one thread, the published pipeline's steps beside them, and worker processes."""
    iters = ('--iters', '2' if size.is_quick else '60', '--media', 'random')
    if size.is_quick:
        yield Job('finetune', (BENCHMARK, 'data', NANO_FINETUNE, *iters))
        return
    yield Job('pretrain', (BENCHMARK, 'data', PRETRAIN, *iters))
    yield Job('shards', (BENCHMARK, 'data', SHARDS, *iters))
    yield Job('finetune', (BENCHMARK, 'data', FINETUNE, *iters))
    yield Job('test', (BENCHMARK, 'data', FINETUNE, '--split', 'test', *iters))
    for name in ('pretrain', 'finetune', 'test'):
        yield Job(f'published_{name}', ('benchmarks/published_pipeline.py', name, *iters[:2]))
    workers = ('--workers', str(size.threads))
    yield Job('shards_workers', (BENCHMARK, 'data', SHARDS, *iters, *workers))
    yield Job('finetune_workers', (BENCHMARK, 'data', FINETUNE, *iters, *workers))


def list_jobs(size: Size) -> Iterator[Job]:
    """Measures start and memory of a list as long as VoxCeleb2's."""
    lines = ('--lines', '2000', '--touch', '256') if size.is_quick else ()
    yield Job('lists', ('benchmarks/list_memory.py', *lines))


def rank_jobs(size: Size) -> Iterator[Job]:
    """Measures training on one rank and on two."""
    yield Job('ranks', ('benchmarks/ranks.py', *(('--quick',) if size.is_quick else ())))


def gpu_jobs(size: Size) -> Iterator[Job]:
    """Measures the base size in mixed precision on a GPU, beside the published style and `torch.compile`."""
    few = ('--iters', '2' if size.is_quick else '20', '--warmup', '5', '--device', 'cuda', '--amp')
    pretrain, finetune = (NANO_PRETRAIN, NANO_FINETUNE) if size.is_quick else (PRETRAIN, FINETUNE)
    variants = ('--baseline',) if size.is_quick else ('--baseline', '--compile', '--singly')
    yield Job('pretrain', (BENCHMARK, 'train', pretrain, '--batch-size', '160', *few, *variants))
    yield Job('finetune', (BENCHMARK, 'train', finetune, '--batch-size', '56', *few, *variants, '--checkpointing'))
    yield Job('infer', (BENCHMARK, 'infer', finetune, '--batch-size', '64', *few, '--baseline', '--compile'))


def export_jobs(size: Size) -> Iterator[Job]:
    """Compares exported models with the eager one."""
    few = (NANO_FINETUNE, '--rounds', '1', '--batch-sizes', '1') if size.is_quick else ()
    yield Job('export', ('benchmarks/export.py', *few, '--threads', str(size.threads)))


def quickstart_jobs(size: Size) -> Iterator[Job]:
    """Measures the quickstart from an empty folder."""
    folder = Path('work_dirs') / 'benchmark_quickstart'
    data = ('--work-dir', str(folder), '--data-root', str(folder / 'media'), '--force')
    command = ('tools/quickstart.py', *data, *(('--tiny',) if size.is_quick else ()))
    yield Job('quickstart', command, json_option=None, json_file=ROOT / folder / 'summary.json')


JOBS: dict[str, Callable[[Size], Iterator[Job]]] = {
    'model': model_jobs,
    'data': data_jobs,
    'lists': list_jobs,
    'ranks': rank_jobs,
    'gpu': gpu_jobs,
    'export': export_jobs,
    'quickstart': quickstart_jobs,
}


def why_not(part: str) -> str | None:
    """Returns the reason why a part cannot be measured here, or None if it can."""
    import torch  # seconds, that only this question needs

    if part == 'gpu' and not torch.cuda.is_available():
        return 'no GPU: not measured'
    return None


def run_job(job: Job) -> dict[str, Any]:
    """Runs a job in a process of its own.

    Returns:
        ``command``, ``seconds``, and ``result`` (its numbers) or ``error`` (its last line).
    """
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        file = job.json_file or Path(folder) / 'numbers.json'
        option = [] if job.json_option is None else [job.json_option, str(file)]
        done = subprocess.run([sys.executable, *job.command, *option], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        report: dict[str, Any] = {'command': job.line, 'seconds': round(time.perf_counter() - started, 1)}
        if done.returncode == 0 and file.is_file():
            report['result'] = json.loads(file.read_text(encoding='utf-8'))
        else:
            lines = done.stderr.strip().splitlines() or [f'ended with {done.returncode} and without a word']
            report['error'] = lines[-1]
    return report
