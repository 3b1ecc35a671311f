"""Draws the learning rate that a config plans, over the whole training, without training.

python tools/visualization/vis_scheduler.py CONFIG --ngpus 8 --dataset-size 5974 --out schedule.png

With layer decay the fastest and the slowest parameters are drawn. The learning rate is that of `tools/train.py`, scaled
by the total batch.
"""

from __future__ import annotations

from hicmae_mm.commands.command_line import ArgumentParser, command, point_elsewhere

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.optim import OptimWrapper, build_optim_wrapper
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from mmengine.registry import init_default_scope
from torch import nn

from hicmae_mm.config.override_values import OverrideAction
from hicmae_mm.config.overrides import load_config
from hicmae_mm.registry import DATASETS, MODELS, PARAM_SCHEDULERS
from hicmae_mm.visualization import Curve, draw_curves, save_figure

MAX_POINTS = 2000
NAMES = {'lr': 'learning rate', 'momentum': 'momentum', 'wd': 'weight decay'}


ELSEWHERE = {
    '--style': "pictures have this project's style",
    '--window-size': 'a picture in .svg or .pdf can be scaled',
    '--log-level': 'nothing is logged',
}


def parse_args(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the command line."""
    parser = ArgumentParser(description="Draw a config's schedule")
    parser.add_argument('config', help='config file')
    parser.add_argument(
        *('--out', '--save-path', '-s'), default='schedule.png', help='picture (.png, .pdf, .svg; default: %(default)s)'
    )
    parser.add_argument(
        *('--parameter', '--param', '-p'),
        choices=tuple(NAMES),
        default='lr',
        help='what to draw (default: %(default)s)',
    )
    parser.add_argument('--dataset-size', '-d', type=int, help='clips; default: the lines of the training list')
    parser.add_argument('--ngpus', '-n', type=int, default=1, help='processes (default: %(default)s)')
    parser.add_argument('--title', default='', help='title of the picture')
    parser.add_argument('--not-show', action='store_true', help='accepted as in OpenMMLab; no window is opened anyway')
    parser.add_argument('--cfg-options', nargs='+', action=OverrideAction, help='key=value, overrides of the config')
    point_elsewhere(parser, ELSEWHERE)
    args = parser.parse_args(argv)
    if args.ngpus < 1 or (args.dataset_size is not None and args.dataset_size < 1):
        parser.error('--ngpus and --dataset-size must be at least 1')
    return args


def iterations_per_epoch(cfg: Config, dataset_size: int | None, num_processes: int) -> int:
    """Batches of an epoch on every process.

    Raises:
        ValueError: If there is not one.
    """
    loader = cfg.train_dataloader
    if (loader.get('batch_sampler') or {}).get('budget') is not None:
        raise ValueError('batches by a budget have a number of steps that only a training knows: remove the budget')
    if dataset_size is None:
        dataset_size = len(DATASETS.build({**loader.dataset, 'pipeline': []}))
    per_process = -(-dataset_size // num_processes)
    count = per_process // loader.batch_size if loader.get('drop_last') else -(-per_process // loader.batch_size)
    if count == 0:
        raise ValueError(
            f'{dataset_size} clips on {num_processes} processes: not one full batch of {loader.batch_size}'
        )
    return count


def build_schedulers(cfg: Config, optim_wrapper: OptimWrapper, epoch_length: int) -> list[_ParamScheduler]:
    """Returns the config's schedules, as the runner builds them."""
    configs = cfg.get('param_scheduler') or []
    built = []
    for config in [configs] if isinstance(configs, dict) else configs:
        options = {**config, 'optimizer': optim_wrapper}
        if options.get('by_epoch', True):
            options.setdefault('end', cfg.train_cfg.max_epochs)
        if options.pop('convert_to_iter_based', False):
            kind = PARAM_SCHEDULERS.get(options.pop('type'))
            built.append(kind.build_iter_from_epoch(epoch_length=epoch_length, **options))
        else:
            built.append(PARAM_SCHEDULERS.build(options))
    optim_wrapper._global_step = 0  # nothing is trained: do not warn about the order of their steps
    return built


def plan(cfg: Config, epoch_length: int, num_processes: int, param: str) -> dict[str, np.ndarray]:
    """Values of every iteration ``(I,)`` by name: one, or with layer decay the fastest and the slowest parameters."""
    with torch.device('meta'):
        model: nn.Module = MODELS.build({key: value for key, value in cfg.model.items() if key != 'data_preprocessor'})
    options = cfg.optim_wrapper.to_dict()
    options['optimizer'].pop('fused', None)  # needs parameters that exist
    optim_wrapper = build_optim_wrapper(model, options)
    scale = cfg.get('auto_scale_lr') or {}
    if scale.get('enable'):
        batch = num_processes * cfg.train_dataloader.batch_size * cfg.optim_wrapper.get('accumulative_counts', 1)
        for group in optim_wrapper.param_groups:
            group['lr'] *= batch / scale['base_batch_size']
    schedulers = build_schedulers(cfg, optim_wrapper, epoch_length)
    values = []
    for iteration in range(cfg.train_cfg.max_epochs * epoch_length):
        groups = [_value(group, param) for group in optim_wrapper.param_groups]
        values.append((max(groups), min(groups)))
        for scheduler in schedulers:
            if not scheduler.by_epoch or (iteration + 1) % epoch_length == 0:
                scheduler.step()
    fastest, slowest = np.array(values).T
    if np.allclose(fastest, slowest, rtol=1e-9, atol=0):
        return {'all parameters': fastest}
    if param == 'wd':
        return {'weights': fastest, 'norms and biases': slowest}
    return {'head and last norms': fastest, 'patch embeddings': slowest}


def _value(group: dict[str, Any], param: str) -> float:
    """Returns the present value for a group of the optimizer. Adam's momentum is the first of its betas."""
    key = {'wd': 'weight_decay'}.get(param, param)
    return group[key] if key in group else group['betas'][0]


def draw(args: argparse.Namespace) -> None:
    """Plans and draws.

    Raises:
        ValueError: If the config does not train.
    """
    cfg = load_config(args.config, args.cfg_options)
    init_default_scope(cfg.get('default_scope', 'hicmae_mm'))
    if not cfg.get('train_dataloader') or not cfg.get('optim_wrapper'):
        raise ValueError(f'{args.config} does not train: it has no train_dataloader or no optim_wrapper')
    epoch_length = iterations_per_epoch(cfg, args.dataset_size, args.ngpus)
    curves = []
    for name, values in plan(cfg, epoch_length, args.ngpus, args.parameter).items():
        shown = np.unique(np.linspace(0, len(values) - 1, min(MAX_POINTS, len(values))).round().astype(int))
        curves.append(Curve(name, shown / epoch_length, values[shown], NAMES[args.parameter]))
        print(f'{name}: first {values[0]:.3g}, highest {values.max():.3g}, last {values[-1]:.3g}')
    title = args.title or f'{cfg.train_cfg.max_epochs} epochs of {epoch_length} iterations'
    print(f'wrote {save_figure(draw_curves(curves, "epoch", title), Path(args.out))}')


@command
def main(argv: Sequence[str] | None = None) -> int:
    """Draws."""
    args = parse_args(argv)
    draw(args)
    return 0


if __name__ == '__main__':
    sys.exit(main())
