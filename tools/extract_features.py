"""Extracts the features of clips: of the whole clip, of time steps, of any layer.

python tools/extract_features.py CONFIG CHECKPOINT --out features --streams video audio fusion --layers all

Any annotation list (`--ann-file`), shards (`--shards`) or a split of the config. On several GPUs or processes:
`tools/dist_extract_features.sh CONFIG CHECKPOINT 8 --out features`. Killed at any moment, the same command goes on, on
any number of processes. docs/features.md says what is in the files.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.dist import get_world_size, is_main_process
from mmengine.registry import init_default_scope

from hicmae_mm.checkpoints.loading import allow_training_checkpoints, check_exists
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.engine.distributed import check_local_rank_has_gpu, init_cpu_process_group, leave_process_group
from hicmae_mm.engine.logging import silence_known_warnings
from hicmae_mm.features import ExtractionOptions, FeatureExtraction
from hicmae_mm.features.data import SPLITS
from hicmae_mm.features.extractor import LEVELS
from hicmae_mm.features.parts import BAD_FILE

_SECONDS_BETWEEN_LINES = 10.0
_PATIENCE_SECONDS = 7 * 86400  # ranks wait for the slowest one, and for the merge


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Extract the features of clips')
    parser.add_argument('config', help='config file, of fine-tuning or pre-training')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', type=Path, required=True, help='folder of the features')
    parser.add_argument(
        '--split', choices=SPLITS, help="clips of this data loader; default: the config's first of them"
    )
    parser.add_argument('--ann-file', help='clips of this list instead')
    parser.add_argument('--data-root', help="folder that paths start from; default: --ann-file's, or the config's")
    parser.add_argument('--shards', help='clips of this folder or URL of shards instead')
    parser.add_argument('--unlabelled', action='store_true', help='ignore label columns')
    parser.add_argument('--level', choices=LEVELS, default='clip', help='a feature per clip, or per time step')
    parser.add_argument('--streams', nargs='+', help="some of the model's streams, fusion and clip; default: all")
    parser.add_argument('--layers', type=read_layers, default='last', help='layers of the encoders: all, last or 0,3,6')
    parser.add_argument('--scores', action='store_true', help='also what the head predicts')
    parser.add_argument('--views', action='store_true', help='keep the views of a clip apart')
    parser.add_argument('--format', choices=('parquet', 'npy'), help='one Parquet file (default), or npy files to map')
    parser.add_argument(
        '--layout',
        choices=('table', 'per-clip'),
        default='table',
        help='per-clip: FEATURE-UTT/CLIP.npy for a feature per clip, FEATURE-FRA/CLIP.npy for time steps (MERTools)',
    )
    parser.add_argument('--fp16', action='store_true', help='keep features in half precision')
    parser.add_argument('--batch-size', type=int, default=16, help='clips at once, on each process')
    parser.add_argument('--num-workers', type=int, default=2, help='loader workers of each process')
    parser.add_argument('--part-size', type=int, default=256, help='clips between two savings')
    parser.add_argument('--force', action='store_true', help='extract again what is there')
    parser.add_argument('--allow-failures', action='store_true', help='exit with 0 although clips are bad')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by old launchers')
    args = parser.parse_args(argv)
    if args.layout == 'per-clip' and args.format == 'parquet':
        parser.error('--layout per-clip writes npy files: leave --format parquet out')
    if min(args.batch_size, args.part_size) < 1 or args.num_workers < 0:
        parser.error('--batch-size and --part-size must be at least 1, --num-workers at least 0')
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def read_layers(text: str) -> str | tuple[int, ...]:
    """Reads ``all``, ``last``, or numbers separated by commas."""
    if text in ('all', 'last'):
        return text
    try:
        return tuple(int(number) for number in text.split(','))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'expected all, last or numbers such as 0,3,6, got {text!r}') from error


def choose_device(launcher: str) -> torch.device:
    """Joins the other processes, if there are any; returns the GPU of this one, or the CPU."""
    if launcher != 'none' and not torch.distributed.is_initialized():
        init_cpu_process_group(launcher, _PATIENCE_SECONDS)  # what travels between them are a few words
    if not torch.cuda.is_available():
        return torch.device('cpu')
    check_local_rank_has_gpu()
    device = torch.device('cuda', int(os.environ['LOCAL_RANK']))
    torch.cuda.set_device(device)
    return device


def make_options(args: argparse.Namespace) -> ExtractionOptions:
    """Returns the options of an extraction."""
    return ExtractionOptions(
        streams=args.streams,
        layers=args.layers,
        level=args.level,
        with_scores=args.scores,
        keeps_views=args.views,
        split=args.split,
        ann_file=args.ann_file,
        data_root=args.data_root,
        shards=args.shards,
        is_unlabelled=args.unlabelled,
        file_format='per-clip' if args.layout == 'per-clip' else args.format or 'parquet',
        float_type='float16' if args.fp16 else 'float32',
        part_size=args.part_size,
    )


class ProgressLines:
    """Prints how many clips are done, now and then."""

    def __init__(self) -> None:
        self._started = self._last = time.monotonic()

    def __call__(self, done: int, total: int) -> None:
        """Writes the progress after every batch."""
        now = time.monotonic()
        if is_main_process() and (now - self._last > _SECONDS_BETWEEN_LINES or done == total):
            self._last = now
            rate = done / max(now - self._started, 1e-9)
            others = f' on the first of {get_world_size()} processes' if get_world_size() > 1 else ''
            print(f'{done} of {total} clips{others}, {rate:.1f} clips/s', flush=True)


def prepare(args: argparse.Namespace) -> FeatureExtraction:
    """Builds model and data."""
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    check_exists(args.checkpoint)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    device = choose_device(args.launcher)
    return FeatureExtraction(cfg, args.checkpoint, make_options(args), device)


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Extracts."""
    args = parse_args(argv)
    silence_known_warnings()
    allow_training_checkpoints()
    extraction = prepare(args)
    if is_main_process():
        print_oddities(extraction)
    info = extraction.run(args.out, args.batch_size, args.num_workers, args.force, ProgressLines())
    if is_main_process():
        print(f'{info["num_rows"]} rows of {", ".join(extraction.extractor.definitions())} are in {args.out}')
        if info['num_bad']:
            print(f'{info["num_bad"]} of {info["num_clips"]} clips are bad: {args.out / BAD_FILE}', file=sys.stderr)
    leave_process_group()
    return int(info['num_bad'] > 0 and not args.allow_failures)


def print_oddities(extraction: FeatureExtraction) -> None:
    """Prints which weights the checkpoint lacks, and which steps of a training pipeline are left out."""
    if 'clip' in extraction.extractor.streams and any(name.startswith('aggreg') for name in extraction.loaded.missing):
        print('The checkpoint has no mix of layers: the clip feature mixes them equally')
    if extraction.left_out:
        print(f'Left out of the training pipeline: {", ".join(extraction.left_out)}')


if __name__ == '__main__':
    sys.exit(main())
