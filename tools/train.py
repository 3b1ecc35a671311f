"""Trains a model from a config.

python tools/train.py CONFIG --work-dir work_dirs/mine --amp --cfg-options train_dataloader.batch_size=8
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from mmengine.config import Config, ConfigDict

from hicmae_mm.checkpoints.loading import check_exists
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config, refuse_twice
from hicmae_mm.engine import build_runner, set_resume
from hicmae_mm.engine.distributed import leave_process_group


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Train a model')
    parser.add_argument('config', help='config file')
    parser.add_argument('--work-dir', help='folder of logs and checkpoints; default work_dirs/<name of the config>')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from a checkpoint, or without a value from the newest one of the work folder',
    )
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--no-validate', action='store_true', help='do not validate during training')
    parser.add_argument('--auto-scale-lr', action='store_true', help='scale the learning rate by the total batch size')
    parser.add_argument('--seed', type=int, help='random seed')
    parser.add_argument(
        '--diff-rank-seed', action='store_true', help='also give the model of every process a seed of its own'
    )
    parser.add_argument('--deterministic', action='store_true', help='only operations that repeat exactly on a GPU')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin the memory of batches for the GPU')
    parser.add_argument(
        '--no-persistent-workers', action='store_true', help='start the workers of the data loaders in every epoch'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by old launchers')
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    return args


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Writes the other arguments into the config."""
    refuse_double_options(args)
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    if args.seed is not None:
        cfg.setdefault('randomness', {})
        cfg.randomness['seed'] = args.seed
    for name in ('deterministic', 'diff_rank_seed'):
        if getattr(args, name):
            cfg.setdefault('randomness', {})
            cfg.randomness[name] = True
    set_loader_options(cfg, args)
    if args.amp:
        use_mixed_precision(cfg.optim_wrapper)
    if args.no_validate:
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    if args.auto_scale_lr:
        if not (cfg.get('auto_scale_lr') or {}).get('base_batch_size'):
            raise ValueError(f'--auto-scale-lr: {args.config} has no auto_scale_lr.base_batch_size to scale from')
        cfg.auto_scale_lr['enable'] = True
    set_resume(cfg, args.resume)
    check_exists(cfg.get('load_from'))


def set_loader_options(cfg: Config, args: argparse.Namespace) -> None:
    """Takes options from the data loaders that the command line switches off."""
    for phase in ('train', 'val', 'test'):
        loader = cfg.get(f'{phase}_dataloader') or {}
        if args.no_pin_memory and loader:
            loader['pin_memory'] = False
        if args.no_persistent_workers and loader:
            loader['persistent_workers'] = False


def refuse_double_options(args: argparse.Namespace) -> None:
    """Raises ValueError for an override in whose place another argument is used."""
    flags = {
        'work_dir': ('--work-dir', args.work_dir),
        'randomness.seed': ('--seed', args.seed),
        'resume': ('--resume', args.resume),
        'load_from': ('--resume', None if args.resume == 'auto' else args.resume),
        'val_cfg': ('--no-validate', args.no_validate or None),
        'val_dataloader': ('--no-validate', args.no_validate or None),
        'val_evaluator': ('--no-validate', args.no_validate or None),
    }
    refuse_twice(args.cfg_options, {key: flag for key, (flag, value) in flags.items() if value is not None})


def use_mixed_precision(optim_wrapper: ConfigDict) -> None:
    """Returns bfloat16 where the device computes in it, which needs no loss scale.

    Else float16, or the config's choice.
    """
    if not torch.cuda.is_available():
        optim_wrapper.type = 'CpuAmpOptimWrapper'
        return
    optim_wrapper.type = 'AmpOptimWrapper'
    if torch.cuda.is_bf16_supported(including_emulation=False) and 'dtype' not in optim_wrapper:
        optim_wrapper.dtype = 'bfloat16'
        optim_wrapper.setdefault('loss_scale', dict(enabled=False))


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Trains."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    apply_arguments(cfg, args)
    check_config(cfg)
    build_runner(cfg).train()
    leave_process_group()
    return 0


if __name__ == '__main__':
    sys.exit(main())
