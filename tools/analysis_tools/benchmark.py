"""Measures training, inference or data loading, beside the matrix-multiply rate of the same machine.

python tools/analysis_tools/benchmark.py train CONFIG --batch-size 4 --iters 10 --json speed.json

`clips_per_s` counts clips in training and data loading, views in inference. `gflops_per_s` takes the work that the
published implementation needs for a clip (base: 30.3 GFLOP per pre-training clip, 92.2 per fine-tuning view, forward;
three times that for a training step), so that work left out shows as speed. `matmul_fraction` is its ratio to the rate
of large matrix products in the same run. Several configs (`train CONFIG CONFIG`) are measured each in a process of its
own and set against the first.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, DictAction
from mmengine.dataset import pseudo_collate
from mmengine.optim import build_optim_wrapper
from mmengine.registry import init_default_scope
from torch import nn

from hicmae_mm.engine import AudioVisualRunner
from hicmae_mm.engine.optimizers.cpu_amp import cpu_has_native_bfloat16
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.registry import DATASETS, MODELS
from hicmae_mm.structures import SkippedSample
from hicmae_mm.utils.benchmark import limited_threads, matmul_gflops, peak_memory_mb, seconds_per_call
from hicmae_mm.utils.complexity import count_complexity, published_macs
from hicmae_mm.utils.config_overrides import load_config
from hicmae_mm.utils.files import write_text
from hicmae_mm.utils.noise_media import write_noise_clips, write_noise_shards
from hicmae_mm.utils.random_batch import random_batch, random_inputs

KEYS = ('clips_per_s', 'gflops_per_s', 'matmul_gflops_per_s', 'matmul_fraction', 'peak_memory_mb')


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Measure training, inference or data loading')
    parser.add_argument('mode', choices=['train', 'infer', 'data'], help='a step, a forward pass, or the pipeline')
    parser.add_argument('config', nargs='+', help='config file; several are compared with the first')
    parser.add_argument('--batch-size', type=int, default=4, help='clips per iteration (train, infer)')
    parser.add_argument('--iters', type=int, default=10, help='timed iterations; clips in data mode')
    parser.add_argument('--warmup', type=int, default=2, help='iterations before the clock starts')
    parser.add_argument('--json', help='also write the numbers to this file')
    parser.add_argument(
        '--media',
        choices=['auto', 'random', 'config'],
        default='auto',
        help="noise, or the config's own data; auto: noise, except that data mode takes the config's if they are there",
    )
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='data loader of data mode')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--threads', type=int, help='threads; default 1 in data mode, else as torch chooses')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, cuda:1')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value, overrides of the config')
    args = parser.parse_args(arguments)
    if len(args.config) > 1 and args.mode == 'data':
        parser.error('several configs are compared in the modes train and infer')
    if args.batch_size < 1 or args.iters < 1:
        parser.error(f'--batch-size and --iters must be at least 1, got {args.batch_size} and {args.iters}')
    return args


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and reports."""
    args = parse_args(arguments)
    if len(args.config) > 1:
        report = compare(args.config, list(sys.argv[1:] if arguments is None else arguments))
        write_json(args.json, report)
        return
    (args.config,) = args.config
    try:
        cfg = load_config(args.config, args.cfg_options)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    threads = args.threads or (1 if args.mode == 'data' else None)
    try:
        with limited_threads(threads, pinned=args.mode == 'data'):
            report = measure_data(cfg, args) if args.mode == 'data' else measure_model(cfg, args)
            report = {'mode': args.mode, 'config': args.config, 'threads': torch.get_num_threads(), **report}
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    print_report(report)
    write_json(args.json, report)


def compare(configs: Sequence[str], arguments: list[str]) -> list[dict[str, Any]]:
    """Measures configs in processes of their own and prints them as a table with ratios to the first.

    Raises:
        SystemExit: if one cannot be measured.
    """
    options = [argument for argument in arguments if argument not in configs]
    reports = []
    for config in configs:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / 'report.json'
            command = [sys.executable, __file__, options[0], config, *options[1:], '--json', str(file)]
            if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
                raise SystemExit(f'error: {config} could not be measured')
            reports.append(json.loads(file.read_text()))
    first = reports[0]
    columns = ('seconds_per_iter', 'cpu_seconds_per_iter', 'nominal_gflop_per_clip', 'model_memory_mb')
    print(f'{"":40s}' + ''.join(f'{name:>24s}' for name in columns))
    for report in reports:
        report['ratio'] = {name: report[name] / first[name] for name in columns}
        cells = ''.join(f'{report[name]:>16.4g} ({report["ratio"][name]:.3f})' for name in columns)
        print(f'{Path(report["config"]).stem:40s}{cells}')
    return reports


def write_json(file: str | None, report: Any) -> None:
    """Writes the numbers, if a file was named."""
    if file:
        write_text(Path(file), json.dumps(report, indent=2) + '\n')


def measure_model(cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """Times steps or forward passes of the config's model."""
    device = torch.device(args.device)
    idle_memory = peak_memory_mb(device)
    model = MODELS.build(cfg.model)
    pipeline = pipeline_of(cfg)
    batch = random_batch(model, args.batch_size, pipeline)
    forward_macs = nominal_macs(model, batch.get('masks'))
    model.to(device)
    batches = itertools.repeat(batch) if args.media != 'config' else endless_batches(cfg, args)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        step, dtype = build_step(model, cfg, args, device)
        before = matmul_gflops(device, dtype)
        if device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(device)
        rows: list[int] = []
        cpu_seconds: list[float] = []

        def timed() -> None:
            current = next(batches)
            rows.append(len(next(iter(current['inputs'].values()))))
            start = time.process_time()
            step(current)
            cpu_seconds.append(time.process_time() - start)

        seconds = seconds_per_call(timed, args.iters, device, args.warmup)
        memory = peak_memory_mb(device)
        after = matmul_gflops(device, dtype)
    typical = statistics.median(seconds)
    gflop = 2 * forward_macs / 1e9 * (3 if args.mode == 'train' else 1)
    clips_per_s = statistics.mean(rows) / typical
    rate = (before + after) / 2
    achieved = clips_per_s * gflop
    return {
        'device': torch.cuda.get_device_name(device) if device.type == 'cuda' else 'cpu',
        'dtype': str(dtype).removeprefix('torch.'),
        'batch_size': args.batch_size,
        'iters': args.iters,
        'nominal_gflop_per_clip': gflop,
        'seconds_per_iter': typical,
        'seconds_per_iter_range': [min(seconds), max(seconds)],
        'cpu_seconds_per_iter': min(cpu_seconds[args.warmup :]),
        'model_memory_mb': memory - idle_memory,
        'matmul_gflops_per_s_before': before,
        'matmul_gflops_per_s_after': after,
        **dict(zip(KEYS, (clips_per_s, achieved, rate, achieved / rate, memory))),
    }


def nominal_macs(model: AudioVisualModel, masks: dict[str, torch.Tensor] | None) -> float:
    """Published work per clip; of a model that was never published, what its own forward pass needs."""
    try:
        return published_macs(model, masks)
    except TypeError:
        one = None if masks is None else {name: mask[:1] for name, mask in masks.items()}
        return count_complexity(model, random_inputs(model, 1), one).macs


def build_step(
    model: nn.Module, cfg: Config, args: argparse.Namespace, device: torch.device
) -> tuple[Callable[[dict[str, Any]], Any], torch.dtype]:
    """The call to be timed, and the type its matrix products are in."""
    if args.mode == 'infer':
        model.eval()
        dtype = inference_dtype(args.amp, device)
        amp = dtype != torch.float32

        def infer(batch: dict[str, Any]) -> Any:
            with torch.no_grad(), torch.autocast(device.type, dtype if amp else None, enabled=amp):
                return model.test_step(batch)

        return infer, dtype
    if 'optim_wrapper' not in cfg:
        raise ValueError(f'{args.config} has no optim_wrapper, so there is no training step to measure')
    settings = cfg.optim_wrapper
    if args.amp:
        settings['type'] = 'AmpOptimWrapper' if device.type == 'cuda' else 'CpuAmpOptimWrapper'
    wrapper = build_optim_wrapper(model, settings)
    model.train()
    with wrapper.optim_context(model):
        enabled = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if enabled else torch.float32
    return lambda batch: model.train_step(batch, wrapper), dtype


def inference_dtype(amp: bool, device: torch.device) -> torch.dtype:
    """Type of the matrix products; on a CPU without native bfloat16 mixed precision would only be slower."""
    if not amp or (device.type == 'cpu' and not cpu_has_native_bfloat16()):
        return torch.float32
    return torch.float16 if device.type == 'cuda' else torch.bfloat16


def measure_data(cfg: Config, args: argparse.Namespace) -> dict[str, Any]:
    """Times the pipeline of a data loader, clip by clip in this process."""
    with prepared_dataset(cfg, args) as (dataset, source):
        numbers = itertools.cycle(range(len(dataset)))
        views: list[int] = []

        def read() -> None:
            sample = dataset[next(numbers)]
            if isinstance(sample, SkippedSample):
                raise ValueError(f'{sample.sample_id}: {sample.reason}')
            views.append(len(next(iter(sample['inputs'].values()))))

        seconds = seconds_per_call(read, args.iters, torch.device('cpu'), args.warmup)
    clips_per_s = len(seconds) / sum(seconds)
    numbers_by_key: dict[str, Any] = dict.fromkeys(KEYS)
    numbers_by_key.update(clips_per_s=clips_per_s, peak_memory_mb=peak_memory_mb(torch.device('cpu')))
    return {
        'media': source,
        'split': args.split,
        'views_per_s': clips_per_s * views[-1],
        'views_per_clip': views[-1],
        **numbers_by_key,
    }


@contextlib.contextmanager
def prepared_dataset(cfg: Config, args: argparse.Namespace) -> Iterator[tuple[Any, str]]:
    """The data set of a split, on the config's media or on noise written for it."""
    loader = cfg.get(f'{args.split}_dataloader')
    if not loader:
        raise ValueError(f'{args.config} has no {args.split}_dataloader')
    settings = loader['dataset']
    annotated = Path(settings.get('data_root') or '') / settings['ann_file']
    if args.media == 'config' or (args.media == 'auto' and annotated.is_file()):
        yield DATASETS.build(settings), str(annotated)
        return
    task = settings.get('task') or getattr(DATASETS.get(settings['type']), 'TASK', None)
    as_video = task == 'unlabelled'
    with tempfile.TemporaryDirectory() as folder:
        num_values = len((settings.get('metainfo') or {}).get('dimensions', ())) or 1
        label = ['0.5'] * num_values if task == 'regression' else ['0']
        if settings['type'] == 'AudioVisualShards':
            settings.update(data_root=str(write_noise_shards(folder, as_video, ' '.join(label))), ann_file='index.json')
            yield DATASETS.build(settings), 'noise, shards of 160x160 JPEG + flac'
            return
        ann_file = write_noise_clips(folder, as_video, num_clips=8, label=' '.join(label))
        settings.update(ann_file=str(ann_file), data_root=folder, data_prefix={'video': '', 'audio': ''})
        yield DATASETS.build(settings), 'noise, 224x224 H.264 + wav' if as_video else 'noise, 256x256 JPEG + wav'


def endless_batches(cfg: Config, args: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """Batches of the config's training or test loader, over and over."""
    split = 'train' if args.mode == 'train' else 'test'
    settings = cfg.get(f'{split}_dataloader')
    if not settings:
        raise ValueError(f'{args.config} has no {split}_dataloader')
    settings['batch_size'] = args.batch_size
    settings.setdefault('collate_fn', pseudo_collate)
    loader = AudioVisualRunner.build_dataloader(settings, seed=0)
    return (batch for _ in itertools.count() for batch in loader)


def pipeline_of(cfg: Config) -> list[dict[str, Any]]:
    """The training pipeline, if the config has one."""
    return list(((cfg.get('train_dataloader') or {}).get('dataset') or {}).get('pipeline') or [])


def print_report(report: dict[str, Any]) -> None:
    """Prints one number per line."""
    for key, value in report.items():
        if isinstance(value, list):
            value = ' to '.join(f'{item:.4g}' for item in value)
        elif isinstance(value, float):
            value = f'{value:.4g}'
        if value is not None:
            print(f'{key:28s}{value}')


if __name__ == '__main__':
    main()
