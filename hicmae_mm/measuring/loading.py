"""Time and bytes of a data pipeline: clips per second, and where the time goes."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from torch.utils.data import DataLoader, Dataset

from hicmae_mm.config.collation import Collate, collate_of
from hicmae_mm.datasets import collate_streams
from hicmae_mm.datasets.readers import video as video_readers
from hicmae_mm.datasets.shards import clip as packed_clips
from hicmae_mm.datasets.sharing import CollateIntoSharedMemory
from hicmae_mm.datasets.synthetic.noise import write_noise_clips, write_noise_shards
from hicmae_mm.measuring.timing import peak_memory_mb, seconds_per_call
from hicmae_mm.registry import DATASETS
from hicmae_mm.structures import SkippedSample

READING = ('OpenPackedClip', 'OpenVideo', 'LoadAudio')
DECODING = ('DecodeFrames',)
STAGES = ('read', 'decode', 'transform', 'collate')


@dataclass(frozen=True)
class LoadingPlan:
    """Describes what is measured.

    Attributes:
        split: Data loader of the config: ``'train'``, ``'val'`` or ``'test'``.
        iters: Timed clips, per worker if there are any.
        warmup: Number of clips that are read before them.
        batch_size: Clips that are collated.
        num_workers: Worker processes; 0 means this process.
        media: ``'random'``: noise; ``'config'``: the config's own; ``'auto'``: these, if they are there.
    """

    split: str
    iters: int
    warmup: int
    batch_size: int = 4
    num_workers: int = 0
    media: str = 'auto'


def measure_data(cfg: Config, plan: LoadingPlan) -> dict[str, Any]:
    """Times the pipeline of a data loader, then runs it once more to see where the time goes.

    Raises:
        ValueError: If there is no such loader, or a clip cannot be read.
    """
    with prepared_settings(cfg, plan) as (settings, source):
        started = time.perf_counter()
        dataset, collate = DATASETS.build(settings), collate_of(cfg, plan.split)
        start_seconds = time.perf_counter() - started
        clips_per_s, cpu_milliseconds, views = time_clips(dataset, plan)
        report: dict[str, Any] = {
            'media': source,
            'split': plan.split,
            'workers': plan.num_workers,
            'start_seconds': start_seconds,
            'views_per_s': clips_per_s * views,
            'views_per_clip': views,
            'clips_per_s': clips_per_s,
            'clips_per_s_per_worker': clips_per_s / max(plan.num_workers, 1),
            'cpu_milliseconds_per_clip': cpu_milliseconds,
            'peak_memory_mb': peak_memory_mb(torch.device('cpu')),
        }
        if plan.num_workers:
            report['clips_per_s'] = time_workers(dataset, plan, collate)
            report['clips_per_s_per_worker'] = report['clips_per_s'] / plan.num_workers
            report['views_per_s'] = report['clips_per_s'] * views
            report['clips_per_s_in_process'] = clips_per_s
        profile = profile_clips(dataset, plan, collate)
    return report | profile


def read_clip(dataset: Any, index: int) -> dict[str, Any]:
    """Loads a sample of the data set.

    Raises:
        ValueError: If it cannot be read.
    """
    sample: dict[str, Any] | SkippedSample = dataset[index]
    if isinstance(sample, SkippedSample):
        raise ValueError(f'{sample.sample_id}: {sample.reason}')
    return sample


def time_clips(dataset: Any, plan: LoadingPlan) -> tuple[float, float, int]:
    """Clips per second in this process, without collating, processor milliseconds per clip, and views per clip."""
    numbers = itertools.cycle(range(len(dataset)))
    views: list[int] = []

    def read() -> None:
        views.append(len(next(iter(read_clip(dataset, next(numbers))['inputs'].values()))))

    for _ in range(plan.warmup):
        read()
    cpu_started = time.process_time()
    seconds = seconds_per_call(read, plan.iters, torch.device('cpu'), warmup=0)
    cpu_seconds = time.process_time() - cpu_started
    return len(seconds) / sum(seconds), 1000 * cpu_seconds / len(seconds), views[-1]


def time_workers(dataset: Any, plan: LoadingPlan, collate: Collate = collate_streams) -> float:
    """Clips per second that arrive from worker processes, in batches, all workers together.

    Raises:
        ValueError: If a clip cannot be read.
    """
    batches_per_worker = max(-(-plan.iters // plan.batch_size), 1)
    num_warm = plan.num_workers * max(-(-plan.warmup // plan.batch_size), 1)
    count = num_warm + plan.num_workers * batches_per_worker
    numbers = itertools.cycle(range(len(dataset)))
    loader: DataLoader[Any] = DataLoader(
        _EveryClip(dataset),
        batch_sampler=[[next(numbers) for _ in range(plan.batch_size)] for _ in range(count)],
        num_workers=plan.num_workers,
        collate_fn=CollateIntoSharedMemory(collate),
        prefetch_factor=2,
    )
    arrivals = []
    for _ in loader:
        arrivals.append(time.perf_counter())
    return (count - num_warm) * plan.batch_size / (arrivals[-1] - arrivals[num_warm - 1])


class _EveryClip(Dataset[Any]):
    """Wraps a data set none of whose clips may be left out."""

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def __getitem__(self, index: int) -> dict[str, Any]:
        return read_clip(self.dataset, index)


def profile_clips(dataset: Any, plan: LoadingPlan, collate: Collate = collate_streams) -> dict[str, Any]:
    """Runs the pipeline once more with a clock at every step.

    Reading is opening files, finding frames in them, and sound; of decoded pictures it is what is not spent in the JPEG
    decoder. A video's file is read by its decoder, in pieces, and counts as decoding.

    Returns:
        ``milliseconds_per_clip`` by stage, ``milliseconds_per_transform`` by name, ``profiled_clips_per_s`` without
        collating, and ``megabytes_per_clip`` that the process asked the system for, where that is counted (Linux).
    """
    clock: Counter[str] = Counter()
    pipeline = dataset.pipeline
    plain_steps, numbers = pipeline.transforms, itertools.cycle(range(len(dataset)))
    pictures: Counter[str] = Counter()
    samples: list[dict[str, Any]] = []
    try:
        pipeline.transforms = [_timed(step, type(step).__name__, clock) for step in plain_steps]
        with _timed_pictures(pictures):
            for _ in range(plan.warmup):
                read_clip(dataset, next(numbers))
            clock.clear()
            pictures.clear()
            bytes_before, started = bytes_read(), time.perf_counter()
            for _ in range(plan.iters):
                samples = [*samples[1 - plan.batch_size :], read_clip(dataset, next(numbers))]
            seconds, bytes_after = time.perf_counter() - started, bytes_read()
    finally:
        pipeline.transforms = plain_steps
    batch = (samples * plan.batch_size)[: plan.batch_size]
    collating = seconds_per_call(lambda: collate(batch), 5, torch.device('cpu'), warmup=1)
    stages = _by_stage(clock, pictures['jpeg'])
    stages['collate'] = min(collating) / plan.batch_size * plan.iters
    is_counted = bytes_before is not None and bytes_after is not None
    return {
        'megabytes_per_clip': (bytes_after - bytes_before) / plan.iters / 1e6 if is_counted else None,  # type: ignore[operator]
        'profiled_clips_per_s': plan.iters / seconds,
        'milliseconds_per_clip': {name: 1000 * stages[name] / plan.iters for name in STAGES},
        'milliseconds_per_transform': {name: 1000 * value / plan.iters for name, value in clock.items()},
    }


def _timed(step: Callable[[Any], Any], name: str, clock: Counter[str]) -> Callable[[Any], Any]:
    def run(results: Any) -> Any:
        started = time.perf_counter()
        results = step(results)
        clock[name] += time.perf_counter() - started  # type: ignore[assignment]
        return results

    return run


@contextlib.contextmanager
def _timed_pictures(clock: Counter[str]) -> Iterator[None]:
    """Takes the time of the JPEG decoder, wherever it is called."""
    plain = video_readers.decode_image

    def run(*arguments: Any) -> Any:
        started = time.perf_counter()
        image = plain(*arguments)
        clock['jpeg'] += time.perf_counter() - started  # type: ignore[assignment]
        return image

    modules: tuple[Any, ...] = (video_readers, packed_clips)
    try:
        for module in modules:
            module.decode_image = run
        yield
    finally:
        for module in modules:
            module.decode_image = plain


def _by_stage(clock: Mapping[str, float], jpeg_seconds: float) -> dict[str, float]:
    stages = dict.fromkeys(STAGES, 0.0)
    for name, seconds in clock.items():
        stages['read' if name in READING else 'decode' if name in DECODING else 'transform'] += seconds
    if jpeg_seconds:  # what else decoding pictures takes is reading their files
        stages['read'] += stages['decode'] - jpeg_seconds
        stages['decode'] = jpeg_seconds
    return stages


def bytes_read() -> int | None:
    """Bytes that this process has read so far, from disk or from the system's cache; None where nobody counts."""
    counters = Path('/proc/self/io')
    if not counters.exists():
        return None
    return int(dict(line.split(': ') for line in counters.read_text().splitlines())['rchar'])


@contextlib.contextmanager
def prepared_settings(cfg: Config, plan: LoadingPlan) -> Iterator[tuple[Any, str]]:
    """Settings of a split's data set, on the config's media or on noise written for it, and what the media are.

    Raises:
        ValueError: If the config has no such loader.
    """
    loader = cfg.get(f'{plan.split}_dataloader')
    if not loader:
        raise ValueError(f'{cfg.filename} has no {plan.split}_dataloader')
    settings = loader['dataset']
    annotated = Path(settings.get('data_root') or '') / settings['ann_file']
    if plan.media == 'config' or (plan.media == 'auto' and annotated.is_file()):
        yield settings, str(annotated)
        return
    task = settings.get('task') or getattr(DATASETS.get(settings['type']), 'TASK', None)
    as_video = task == 'unlabelled'
    num_values = len((settings.get('metainfo') or {}).get('dimensions', ())) or 1
    label = ' '.join(['0.5'] * num_values if task == 'regression' else ['0'])
    with tempfile.TemporaryDirectory() as folder:
        if settings['type'] == 'AudioVisualShards':
            settings.update(data_root=str(write_noise_shards(folder, as_video, label)), ann_file='index.json')
            yield settings, 'noise, shards of 160x160 JPEG + flac'
            return
        ann_file = write_noise_clips(folder, as_video, num_clips=8, label=label)
        settings.update(ann_file=str(ann_file), data_root=folder, data_prefix={'video': '', 'audio': ''})
        yield settings, 'noise, 224x224 H.264 + wav' if as_video else 'noise, 256x256 JPEG + wav'
