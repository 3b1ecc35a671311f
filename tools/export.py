"""Exports a fine-tuned recogniser to ONNX or torch.export, and holds it against the eager model on real clips.

python tools/export.py CONFIG CHECKPOINT --out DIR --format onnx --dynamic-batch

`DIR` then holds `model.onnx` (or `model.pt2`) and `model.json`, which says how to feed it (docs/export.md). `--int8`
quantises the products with weights; `--eval` runs the config's test set through the eager and the exported model and
prints their scores, sizes and speeds.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import nn

from hicmae_mm.checkpoints.files import file_sha256
from hicmae_mm.checkpoints.loading import check_exists, load_weights, read_checkpoint
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.preprocessing import check_preprocessing
from hicmae_mm.export import Manifest, export_model, open_session
from hicmae_mm.export.clips import read_views
from hicmae_mm.export.comparison import checked_batches, compare_speed, forward_calls
from hicmae_mm.export.evaluation import evaluate
from hicmae_mm.export.graphs import DEFAULT_OPSET
from hicmae_mm.export.recognizer import ExportableRecognizer
from hicmae_mm.registry import MODELS
from hicmae_mm.utils.files import write_text

TIMED_BATCHES = (1, 4)


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Export a fine-tuned recogniser')
    parser.add_argument('config', help='config file of a fine-tuning')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR', help='folder to write')
    parser.add_argument('--format', choices=['onnx', 'torch-export'], default='onnx', help='default: onnx')
    batch = parser.add_mutually_exclusive_group()
    batch.add_argument('--dynamic-batch', action='store_true', help='any number of views per call (the default)')
    batch.add_argument('--batch-size', type=int, metavar='N', help='always so many views per call')
    parser.add_argument('--int8', action='store_true', help='quantise the products with weights (ONNX only)')
    parser.add_argument(
        '--reduce-range', action='store_true', help='7-bit weights for --int8, for processors without VNNI'
    )
    parser.add_argument(
        '--opset', type=int, default=DEFAULT_OPSET, help="version of ONNX' operators (default: %(default)s)"
    )
    parser.add_argument(
        '--check',
        action=argparse.BooleanOptionalAction,
        default=True,
        help='compare with the eager model on real clips, to 1e-4 in float32 (the default)',
    )
    parser.add_argument(
        '--media',
        nargs='+',
        default=[],
        metavar='PATH',
        help="clips to compare on; default: the config's test data where they are there, else noise",
    )
    parser.add_argument('--eval', action='store_true', help="scores of both models on the config's test set, and speed")
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(argv)
    if args.int8 and args.format != 'onnx':
        parser.error('--int8 is for --format onnx')
    if args.batch_size is not None and args.batch_size < 1:
        parser.error(f'--batch-size must be at least 1, got {args.batch_size}')
    return args


def load_model(cfg: Config, checkpoint: str) -> nn.Module:
    """Builds the model and fills all of it.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If the model cannot be exported, or the checkpoint does not fill it.
    """
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    model = MODELS.build(cfg.model)
    check_preprocessing(model, cfg)
    ExportableRecognizer(model)  # says what is wrong before anything is read
    load_weights(model, read_checkpoint(checkpoint, model=model)['state_dict'], checkpoint, require_all=True)
    return model.eval()


def export(args: argparse.Namespace) -> None:
    """Exports, checks and reports."""
    check_exists(args.checkpoint)
    cfg = load_config(args.config, args.cfg_options)
    model = load_model(cfg, args.checkpoint)
    views, source = None, ''
    if args.check:
        views, source = read_views(model, cfg, max(checked_batches(args.batch_size)), args.media)
    origin = describe_checkpoint(args.checkpoint)
    manifest = export_model(
        model,
        cfg,
        args.out,
        args.format,
        args.batch_size,
        args.opset,
        is_int8=args.int8,
        reduce_range=args.reduce_range,
        views=views,
        checkpoint=origin,
    )
    print(summary(args.out, manifest, source))
    if args.eval:
        report = measure(model, cfg, args.out, manifest)
        write_text(args.out / 'evaluation.json', json.dumps(report, indent=2) + '\n')
        print_report(report)


def describe_checkpoint(name: str) -> dict[str, str]:
    """Returns file name and hash of the weights; the address tells the hash if it can."""
    if '://' in name:
        return {'file': name}
    path = Path(name).expanduser()
    return {'file': path.name, 'sha256': file_sha256(path)}


def summary(out: Path, manifest: Manifest, source: str) -> str:
    """Describes what was written, in a few lines."""
    batch = 'any batch size' if manifest.batch_size is None else f'batch size {manifest.batch_size}'
    opset = '' if manifest.opset is None else f', opset {manifest.opset}'
    lines = [f'{out / manifest.file}: {manifest.precision}, {batch}{opset}, {size_mb(out, manifest):.1f} MB']
    if manifest.max_difference is None:
        lines.append('not compared with the eager model')
    else:
        sizes = ', '.join(map(str, checked_batches(manifest.batch_size)))
        lines.append(f'differs from the eager model by {manifest.max_difference:.2g} (batch sizes {sizes}; {source})')
    return '\n'.join(lines)


def size_mb(out: Path, manifest: Manifest) -> float:
    """Returns the size of the model's files in 10^6 bytes."""
    return sum(file.stat().st_size for file in out.glob(f'{manifest.file}*')) / 1e6


def measure(model: nn.Module, cfg: Config, out: Path, manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Scores, sizes and speeds of the eager and the exported model."""
    session = open_session(out, trust_source=True)
    recognizer = ExportableRecognizer(model, session.manifest.input_shapes)
    name = f'{manifest.format} {manifest.precision}'
    report: dict[str, dict[str, Any]] = {
        key: {'metrics': metrics} for key, metrics in evaluate(recognizer, {name: session}, cfg).items()
    }
    report['eager']['size_mb'] = recognizer.weight_bytes / 1e6
    report[name]['size_mb'] = size_mb(out, manifest)
    for size in TIMED_BATCHES if manifest.batch_size is None else (manifest.batch_size,):
        batch = recognizer.example_inputs(size)
        for key, times in compare_speed(forward_calls(recognizer, {name: session}, batch)).items():
            report[key][f'batch_{size}'] = times
    report['eager']['threads'] = torch.get_num_threads()
    return report


def print_report(report: dict[str, dict[str, Any]]) -> None:
    """Prints one column per model."""
    metrics = {name: values['metrics'] for name, values in report.items()}
    rows: dict[str, list[str]] = {'': list(report)}
    for key in metrics['eager']:
        rows[key] = [f'{values[key]:.4f}' for values in metrics.values()]
    rows['size, MB'] = [f'{values["size_mb"]:.1f}' for values in report.values()]
    for key in (key for key in report['eager'] if key.startswith('batch_')):
        title = key.replace('_', ' ')
        rows[f'{title}, ms'] = [f'{1000 * values[key]["seconds"]:.0f}' for values in report.values()]
        rows[f'{title}, time of eager'] = [f'{values[key]["ratio"]:.2f}' for values in report.values()]
    for title, cells in rows.items():
        print(f'{title:24s}' + ''.join(f'{cell:>18s}' for cell in cells))


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the export."""
    args = parse_args(argv)
    export(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
