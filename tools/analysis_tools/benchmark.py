"""Measures training, inference or data loading, beside the matrix-multiply rate of the same machine.

python tools/analysis_tools/benchmark.py train CONFIG --batch-size 4 --iters 10 --baseline --json speed.json

`clips_per_s` counts clips in training and data loading, views in inference. `gflops_per_s` takes the work that the
published implementation needs for a clip (base: 30.3 GFLOP per pre-training clip, 92.2 per fine-tuning view, forward;
three times that for a training step), so that work left out shows as speed. `matmul_fraction` is its ratio to the rate
of large matrix products in the same run. Several configs (`train CONFIG CONFIG`) or variants of one (`--baseline`,
`--compile`, `--checkpointing`, `--singly`) are measured each in a process of its own and set against the first.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.measuring import limited_threads
from hicmae_mm.measuring.loading import LoadingPlan, measure_data
from hicmae_mm.measuring.model import VARIANTS, ModelPlan, measure_model
from hicmae_mm.measuring.published import STYLE
from hicmae_mm.utils.files import write_text

KEYS = ('clips_per_s', 'gflops_per_s', 'matmul_gflops_per_s', 'matmul_fraction', 'peak_memory_mb')
COMPARED = ('seconds_per_iter', 'cpu_seconds_per_iter', 'nominal_gflop_per_clip', 'model_memory_mb')
FLAGS = {
    'baseline': 'also the published style: explicit attention, host in every step, discarded work, float16',
    'compile': 'also with torch.compile; the time of compiling is reported apart',
    'checkpointing': 'also with activations recomputed in the backward pass',
    'singly': f'also with one part of the published style at a time: {", ".join(STYLE)}',
}


ELSEWHERE = {
    '--log-interval': '--iters says how much is measured',
    '--fuse-conv-bn': 'these models have no convolutions followed by batch norms',
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Measure training, inference or data loading')
    parser.add_argument('mode', choices=['train', 'infer', 'data'], help='a step, a forward pass, or the pipeline')
    parser.add_argument('config', nargs='+', help='config file; several are compared with the first')
    parser.add_argument('--batch-size', type=int, default=4, help='clips per iteration; collated ones in data mode')
    parser.add_argument('--iters', type=int, default=10, help='timed iterations; clips (per worker) in data mode')
    parser.add_argument('--warmup', type=int, default=2, help='iterations before the clock starts')
    parser.add_argument('--json', help='also write the numbers to this file')
    parser.add_argument(
        '--media',
        choices=['auto', 'random', 'config'],
        default='auto',
        help="noise, or the config's own data; auto: noise, except that data mode takes the config's if they are there",
    )
    parser.add_argument('--split', choices=['train', 'val', 'test'], default='train', help='data loader of data mode')
    parser.add_argument('--workers', type=int, default=0, help='worker processes of data mode; 0: in process')
    parser.add_argument('--amp', action='store_true', help='mixed precision: bfloat16, in the published style float16')
    parser.add_argument('--threads', type=int, help='threads; default 1 in data mode, else as torch chooses')
    parser.add_argument('--device', default='cuda' if torch.cuda.is_available() else 'cpu', help='cpu, cuda, cuda:1')
    for name, description in FLAGS.items():
        parser.add_argument(f'--{name}', action='store_true', help=f'{description} (train, infer)')
    parser.add_argument('--variant', choices=VARIANTS, help='measure only this variant, in this process (train, infer)')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(arguments)
    if args.mode == 'data' and (len(args.config) > 1 or variants(args) != ['plain']):
        parser.error('several configs are compared in the modes train and infer, and variants too')
    if args.variant and (len(args.config) > 1 or len(variants(args)) > 1):
        parser.error('--variant measures one config, and nothing beside it')
    if min(args.batch_size, args.iters) < 1:
        parser.error(f'--batch-size and --iters must be at least 1, got {args.batch_size} and {args.iters}')
    if min(args.warmup, args.workers) < 0:
        parser.error(f'--warmup and --workers must be at least 0, got {args.warmup} and {args.workers}')
    return args


def variants(args: argparse.Namespace) -> list[str]:
    """Lists what is measured for each config, the plain model first."""
    chosen = ['plain', *(name for name in ('baseline', 'compile', 'checkpointing') if getattr(args, name))]
    if args.singly:
        parts = STYLE if args.mode == 'train' else ('attention', 'linear', 'precision')
        chosen += [name for name in parts if name != 'precision' or args.amp]
    return chosen


@command
def main(arguments: Sequence[str] | None = None) -> None:
    """Measures and reports."""
    args = parse_args(arguments)
    if len(args.config) > 1 or len(variants(args)) > 1:
        report: Any = compare(args, list(sys.argv[1:] if arguments is None else arguments))
    else:
        report = measure(args)
        print_report(report)
    if args.json:
        write_text(Path(args.json), json.dumps(report, indent=2) + '\n')


def measure(args: argparse.Namespace) -> dict[str, Any]:
    """Measures one config."""
    (config,) = args.config
    is_data = args.mode == 'data'
    cfg = load_config(config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    with limited_threads(args.threads or (1 if is_data else None), pinned=is_data and not args.workers):
        if is_data:
            plan = LoadingPlan(args.split, args.iters, args.warmup, args.batch_size, args.workers, args.media)
            measured = dict.fromkeys(KEYS) | measure_data(cfg, plan)
        else:
            measured = measure_model(
                cfg,
                ModelPlan(
                    mode=args.mode,
                    batch_size=args.batch_size,
                    iters=args.iters,
                    warmup=args.warmup,
                    amp=args.amp,
                    device=torch.device(args.device),
                    is_noise=args.media != 'config',
                    variant=args.variant or 'plain',
                ),
            )
        return {'mode': args.mode, 'config': config, 'threads': torch.get_num_threads(), **measured}


def compare(args: argparse.Namespace, arguments: list[str]) -> list[dict[str, Any]]:
    """Measures configs and variants in processes of their own and prints them as a table with ratios to the first.

    Raises:
        RuntimeError: If one cannot be measured.
    """
    flags = {f'--{name}' for name in FLAGS}
    options = [argument for argument in arguments if argument not in args.config and argument not in flags]
    reports: list[dict[str, Any]] = []
    for config in args.config:
        for variant in variants(args):
            reports.append(measure_in_process(config, [*options, '--variant', variant]))
            add_ratios(reports[-1], reports[0])
            if len(reports) == 1:
                print(f'{"":40s}' + ''.join(f'{name:>24s}' for name in COMPARED), flush=True)
            print_row(reports[-1])
    for report in reports:
        if 'compile_seconds' in report:
            print(
                f'compiled in {report["compile_seconds"]:.1f} s, {report["graph_breaks"]} graph breaks, '
                f'{report["recompiled_graphs"]} graphs compiled later'
            )
    return reports


def measure_in_process(config: str, options: Sequence[str]) -> dict[str, Any]:
    """Measures in a process of its own, so that its memory can be told apart.

    Raises:
        RuntimeError: If the process failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / 'report.json'
        # a later --json replaces an earlier one
        command = [sys.executable, __file__, options[0], config, *options[1:], '--json', str(file)]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode:
            raise RuntimeError(f'{config} could not be measured')
        return json.loads(file.read_text())


def add_ratios(report: dict[str, Any], first: dict[str, Any]) -> None:
    """Adds ``ratio`` to the first report; speed per matrix-multiply rate, which moves less on a shared machine, too."""
    names = (*COMPARED, 'peak_memory_mb', 'matmul_fraction')
    report['ratio'] = {name: report[name] / first[name] for name in names}


def print_row(report: dict[str, Any]) -> None:
    """Prints a line of the table."""
    name = Path(report['config']).stem
    if report['variant'] != 'plain':
        name = f'{name}: {report["variant"]}'
    print(f'{name:40s}' + ''.join(f'{report[key]:>16.4g} ({report["ratio"][key]:.3f})' for key in COMPARED), flush=True)


def print_report(report: dict[str, Any]) -> None:
    """Prints one number per line."""
    for key, value in report.items():
        if isinstance(value, list):
            value = ' to '.join(f'{item:.4g}' for item in value)
        elif isinstance(value, dict):
            value = ', '.join(f'{name} {item:.4g}' for name, item in value.items())
        elif isinstance(value, float):
            value = f'{value:.4g}'
        if value is not None:
            print(f'{key:28s}{value}')


if __name__ == '__main__':
    sys.exit(main())
