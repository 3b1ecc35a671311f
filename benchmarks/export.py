"""Times exported models against the eager one: ONNX in float32, ONNX in int8, torch.export.

python benchmarks/export.py configs/hicmae_base_cremad.py --batch-sizes 1 4 --json export.json

The weights are random, which changes no speed. All models run in turns in one process, with the same number of
threads; a ratio is the median over rounds of a model's time to the eager model's in the same round.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import init_default_scope

from hicmae_mm.config.overrides import load_config
from hicmae_mm.export import export_model, open_session
from hicmae_mm.export.comparison import compare_speed, forward_calls
from hicmae_mm.export.recognizer import ExportableRecognizer
from hicmae_mm.measuring import limited_threads
from hicmae_mm.registry import MODELS
from hicmae_mm.utils.files import write_text

VARIANTS: dict[str, dict[str, Any]] = {
    'onnx': {},
    'onnx-opset23': {'opset': 23},
    'onnx-int8': {'is_int8': True},
    'torch-export': {'format': 'torch-export'},
}


def parse_args(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Time exported models against the eager one')
    parser.add_argument('config', nargs='?', default='configs/hicmae_base_cremad.py', help='config of a fine-tuning')
    parser.add_argument('--variants', nargs='+', choices=list(VARIANTS), default=['onnx', 'onnx-int8'])
    parser.add_argument('--batch-sizes', nargs='+', type=int, default=[1, 4], metavar='N', help='views per call')
    parser.add_argument('--rounds', type=int, default=7, help='timed rounds')
    parser.add_argument('--threads', type=int, help='threads; default: as torch chooses')
    parser.add_argument('--json', type=Path, help='also write the numbers to this file')
    args = parser.parse_args(arguments)
    if min(args.rounds, *args.batch_sizes) < 1:
        parser.error('--rounds and --batch-sizes must be at least 1')
    return args


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Exports every variant into a folder, and times them."""
    cfg = load_config(args.config)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).eval()
    recognizer, sessions, sizes = ExportableRecognizer(model), {}, {'eager': 0.0}
    sizes['eager'] = recognizer.weight_bytes / 1e6
    for name in args.variants:
        manifest = export_model(model, cfg, folder / name, **VARIANTS[name])
        sizes[name] = (folder / name / manifest.file).stat().st_size / 1e6
        sessions[name] = open_session(folder / name, trust_source=True)
    report: dict[str, Any] = {'config': args.config, 'threads': torch.get_num_threads(), 'size_mb': sizes}
    for size in args.batch_sizes:
        calls = forward_calls(recognizer, sessions, recognizer.example_inputs(size))
        report[f'batch_{size}'] = compare_speed(calls, args.rounds)
    return report


def print_report(report: dict[str, Any]) -> None:
    """Prints a line per model and batch size."""
    print(f'{report["config"]}, {report["threads"]} threads')
    print(f'{"":10s}{"":16s}{"MB":>8s}{"ms":>8s}{"of eager":>10s}{"CPU ms":>8s}{"of eager":>10s}')
    for key in (key for key in report if key.startswith('batch_')):
        for name, times in report[key].items():
            wall = f'{1000 * times["seconds"]:>8.0f}{times["ratio"]:>10.2f}'
            cpu = f'{1000 * times["cpu_seconds"]:>8.0f}{times["cpu_ratio"]:>10.2f}'
            print(f'{key.replace("_", " "):10s}{name:16s}{report["size_mb"][name]:>8.1f}{wall}{cpu}')


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Measures and reports."""
    args = parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, limited_threads(args.threads):
        report = measure(args, Path(folder))
    print_report(report)
    if args.json:
        write_text(args.json, json.dumps(report, indent=2) + '\n')
    return 0


if __name__ == '__main__':
    sys.exit(main())
