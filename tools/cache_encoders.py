r"""Runs the frozen encoders of a config once over its data, so that a training need not run them again and again.

python tools/cache_encoders.py CONFIG CHECKPOINT --out CACHE
python tools/train.py CONFIG --cfg-options load_from=CHECKPOINT \
    default_hooks.encoder_cache.type=EncoderCacheHook default_hooks.encoder_cache.folder=CACHE
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.registry import init_default_scope

from hicmae_mm.checkpoints.loading import allow_training_checkpoints, check_exists
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.engine.logging import silence_known_warnings
from hicmae_mm.features.cache_keys import read_cache
from hicmae_mm.features.encoder_cache import CacheOptions, EncoderCache


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Cache the outputs of frozen encoders')
    parser.add_argument('config', help='config with frozen encoders, as for train.py')
    parser.add_argument('checkpoint', nargs='?', help='weights with the encoders; none if the encoders load their own')
    parser.add_argument('--out', type=Path, required=True, help='folder for the cache')
    parser.add_argument('--copies', type=int, default=1, help='augmented versions of every training clip')
    parser.add_argument('--no-augmentation', action='store_true', help='read training clips as in a test')
    parser.add_argument('--fp16', action='store_true', help='store half precision')
    parser.add_argument('--batch-size', type=int, default=16, help='clips at once')
    parser.add_argument('--num-workers', type=int, default=2, help='loader workers')
    parser.add_argument('--part-size', type=int, default=256, help='clips between two savings')
    parser.add_argument('--force', action='store_true', help='encode again what is there')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    args = parser.parse_args(argv)
    if min(args.copies, args.batch_size, args.part_size) < 1 or args.num_workers < 0:
        parser.error('--copies, --batch-size and --part-size must be at least 1, --num-workers at least 0')
    if args.copies > 1 and args.no_augmentation:
        parser.error('--copies are augmented versions: leave --no-augmentation out')
    return args


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Caches every split of the config."""
    args = parse_args(argv)
    silence_known_warnings()
    allow_training_checkpoints()
    cfg = load_config(args.config, args.cfg_options)
    check_config(cfg)
    check_exists(args.checkpoint)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    options = CacheOptions(
        copies=args.copies,
        augments=not args.no_augmentation,
        float_type='float16' if args.fp16 else 'float32',
        batch_size=args.batch_size,
        num_workers=args.num_workers,
        part_size=args.part_size,
    )
    cache = EncoderCache(cfg, args.checkpoint, options, 'cuda' if torch.cuda.is_available() else 'cpu')
    for split, folder in cache.run(args.out, args.force, _print_progress).items():
        info = read_cache(folder)
        print(f'{split}: {info["num_rows"]} of {info["num_clips"]} clips in {folder}')
    return 0


def _print_progress(split: str, done: int, total: int) -> None:
    if done == total:
        print(f'{split}: {done} of {total} clips encoded', flush=True)


if __name__ == '__main__':
    sys.exit(main())
