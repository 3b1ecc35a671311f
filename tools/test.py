"""Tests a checkpoint.

python tools/test.py CONFIG CHECKPOINT --out metrics.json --out-item metrics --show-dir pictures

`--drop-modality audio` tests a model of both streams on pictures alone (docs/modalities.md says what it does then);
`--save-features features.npz` also writes the feature of every clip.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import mmengine
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dist import is_main_process
from mmengine.logging import print_log

from hicmae_mm.checkpoints.loading import check_exists
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config, refuse_twice
from hicmae_mm.engine import build_runner
from hicmae_mm.engine.distributed import leave_process_group
from hicmae_mm.engine.optimizers.cpu_amp import cpu_has_native_bfloat16
from hicmae_mm.utils.files import replaced_file

ELSEWHERE = {
    '--tta': 'the test pipeline takes several views of a clip already; more of them by SampleClips.num_clips and '
    'SpatialViews.num_views, such as --cfg-options test_dataloader.dataset.pipeline.1.num_clips=4',
    '--show': 'no window is opened; --show-dir DIR writes a picture of every clip',
    '--wait-time': 'no window is opened; --show-dir DIR writes a picture of every clip',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description='Test a checkpoint')
    parser.add_argument('config', help='config file')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--work-dir', help='folder of logs; default work_dirs/<name of the config>')
    parser.add_argument('--out', help='file of predictions (.pkl, .json) or metrics (.json, .yaml, .pkl)')
    parser.add_argument(
        '--out-item',
        choices=['pred', 'metrics'],
        help='what --out holds; by default predictions in a .pkl file and metrics in any other',
    )
    parser.add_argument('--dump', help='file of predictions, as --out FILE --out-item pred')
    parser.add_argument('--amp', action='store_true', help='mixed precision')
    parser.add_argument('--show-dir', help='folder for a picture of every clip')
    parser.add_argument('--interval', type=int, metavar='N', help='with --show-dir: a picture of every N-th clip')
    parser.add_argument('--no-pin-memory', action='store_true', help='do not pin the memory of batches for the GPU')
    parser.add_argument('--save-features', help="file (.npz) of every clip's id, feature, label and prediction")
    parser.add_argument(
        '--drop-modality', metavar='STREAM', help='test without this stream, whose files are not even opened'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    parser.add_argument('--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none', help='job launcher')
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0, help='set by old launchers')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(argv)
    os.environ.setdefault('LOCAL_RANK', str(args.local_rank))
    check_output(parser, args)
    return args


def check_output(parser: ArgumentParser, args: argparse.Namespace) -> None:
    """Refuses a file name that cannot hold what was asked for, before anything runs."""
    if args.save_features is not None and Path(args.save_features).suffix != '.npz':
        parser.error(f'--save-features {args.save_features}: features go into a .npz file')
    if args.interval is not None and (args.show_dir is None or args.interval < 1):
        parser.error('--interval is a number from 1 on and needs --show-dir')
    if args.dump is not None:
        if args.out is not None:
            parser.error('--dump and --out are both given: leave one out')
        args.out, args.out_item = args.dump, 'pred'
    if args.out is None:
        if args.out_item is not None:
            parser.error('--out-item needs --out')
        return
    suffix = Path(args.out).suffix
    if args.out_item is None:
        args.out_item = 'pred' if suffix in ('.pkl', '.pickle') else 'metrics'
    allowed = {'pred': ('.pkl', '.pickle', '.json'), 'metrics': ('.json', '.yaml', '.yml', '.pkl', '.pickle')}[
        args.out_item
    ]
    if suffix not in allowed:
        parser.error(f'--out {args.out}: {args.out_item} go into one of {", ".join(allowed)}')


def apply_arguments(cfg: Config, args: argparse.Namespace) -> None:
    """Writes the other arguments into the config."""
    cfg.launcher = args.launcher
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(args.config).stem)
    refuse_twice(args.cfg_options, {'load_from': 'CHECKPOINT', 'resume': 'CHECKPOINT'})
    refuse_twice(args.cfg_options, {'work_dir': '--work-dir'} if args.work_dir is not None else {})
    check_exists(args.checkpoint)
    cfg.load_from, cfg.resume = args.checkpoint, False
    if cfg.get('test_dataloader') is None:
        raise ValueError(f'{args.config} has no test_dataloader: there is nothing to test')
    if args.no_pin_memory:
        cfg.test_dataloader.pin_memory = False
    if args.amp:
        cfg.test_cfg = {'type': 'TestLoop', **(cfg.get('test_cfg') or {}), 'fp16': use_mixed_precision()}
    if args.show_dir is not None:
        cfg.custom_hooks = [
            *(cfg.get('custom_hooks') or []),
            dict(type='PredictionVisualizationHook', out_dir=args.show_dir, interval=args.interval or 1),
        ]
    if args.save_features is not None:
        cfg.custom_hooks = [
            *(cfg.get('custom_hooks') or []),
            dict(type='SaveFeaturesHook', out_file=args.save_features),
        ]
    if args.drop_modality is not None:
        drop_modality(cfg, args.drop_modality)
    if args.out is not None and args.out_item == 'pred':
        evaluator = cfg.test_evaluator
        evaluators = list(evaluator) if isinstance(evaluator, (list, tuple)) else [evaluator]
        cfg.test_evaluator = [*evaluators, dict(type='DumpPredictions', out_file_path=args.out)]


def use_mixed_precision() -> bool:
    """Tells whether to test in mixed precision: not on a CPU that only emulates bfloat16."""
    if torch.cuda.is_available() or cpu_has_native_bfloat16():
        return True
    print('--amp: this CPU has no native bfloat16, so float32 is used, which is far faster here', file=sys.stderr)
    return False


def drop_modality(cfg: Config, name: str) -> None:
    """Takes a stream from the test data, and tells the model to do without.

    Raises:
        ValueError: If the model does not have the stream, or no other.
    """
    streams = list(cfg.model.get('encoders', {}))
    if name not in streams or len(streams) == 1:
        raise ValueError(f'--drop-modality {name} needs a model of this stream and another, and it has {streams}')
    cfg.model.missing_streams = 'zero'
    for dataset in annotated_datasets(cfg.test_dataloader.dataset):
        dataset.streams = [stream for stream in dataset.get('streams', ('video', 'audio')) if stream != name]


def annotated_datasets(dataset: ConfigDict) -> Iterator[ConfigDict]:
    """Returns the data set itself, or those inside of the wrappers of MMEngine."""
    if 'datasets' in dataset or isinstance(dataset.get('dataset'), ConfigDict):
        for inner in dataset.get('datasets') or [dataset.dataset]:
            yield from annotated_datasets(inner)
    else:
        yield dataset


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Tests."""
    args = parse_args(argv)
    cfg = load_config(args.config, args.cfg_options)
    apply_arguments(cfg, args)
    check_config(cfg)
    metrics = build_runner(cfg).test()
    if args.out is not None and args.out_item == 'metrics' and is_main_process():
        with replaced_file(Path(args.out)) as partial:
            mmengine.dump(metrics, partial, file_format=Path(args.out).suffix[1:])
        print_log(f'Metrics are in {args.out}', 'current')
    leave_process_group()
    return 0


if __name__ == '__main__':
    sys.exit(main())
