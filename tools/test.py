"""Tests a checkpoint.

python tools/test.py CONFIG CHECKPOINT --out metrics.json --out-item metrics --show-dir pictures
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import mmengine
from mmengine.config import Config, DictAction
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from hicmae_mm.engine import build_runner
from hicmae_mm.utils.config_overrides import load_config


def parse_args() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description='Test a checkpoint')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder of logs; default work_dirs/<name of the config>')
    parser.add_argument('--out', help='file of predictions (.pkl) or metrics (.json, .yaml, .pkl)')
    parser.add_argument(
        '--out-item',
        choices=['pred', 'metrics'],
        help='what --out holds; by default predictions in a .pkl file and metrics in any other',
    )
    parser.add_argument('--show-dir', help='folder for a picture of every clip')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction, help='key=value, overrides of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by old launchers')
    args = parser.parse_args()
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    check_output(parser, args)
    return args


def check_output(parser: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Refuses a file name that cannot hold what was asked for, before anything runs."""
    if args.out is None:
        if args.out_item is not None:
            parser.error('--out-item needs --out')
        return
    suffix = Path(args.out).suffix
    if args.out_item is None:
        args.out_item = 'pred' if suffix in ('.pkl', '.pickle') else 'metrics'
    allowed = {'pred': ('.pkl', '.pickle'), 'metrics': ('.json', '.yaml', '.yml', '.pkl', '.pickle')}[args.out_item]
    if suffix not in allowed:
        parser.error(f'--out {args.out}: {args.out_item} go into one of {", ".join(allowed)}')


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Writes the other arguments into the config."""
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    cfg.load_from, cfg.resume = args.checkpoint, False
    if cfg.get('test_dataloader') is None:
        raise ValueError(f'{args.config} has no test_dataloader: there is nothing to test')
    if args.show_dir is not None:
        cfg.custom_hooks = [
            *(cfg.get('custom_hooks') or []),
            dict(type='PredictionVisualizationHook', out_dir=args.show_dir),
        ]
    if args.out is not None and args.out_item == 'pred':
        evaluator = cfg.test_evaluator
        evaluators = list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
        cfg.test_evaluator = [*evaluators, dict(type='DumpResults', out_file_path=args.out)]


def main() -> None:
    """Tests."""
    args = parse_args()
    try:
        cfg = load_config(args.config, args.cfg_options)
        apply_arguments(cfg, args)
    except (FileNotFoundError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error
    metrics = build_runner(cfg).test()
    if args.out is not None and args.out_item == 'metrics' and is_main_process():
        mmengine.mkdir_or_exist(Path(args.out).parent)
        mmengine.dump(metrics, args.out)
        print_log(f'Metrics are in {args.out}', 'current')


if __name__ == '__main__':
    main()
