"""Checks that numbers of a config are possible; zero epochs or a million worker processes, for example, are not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

_MOST = 10**12
_LOOPS = {'max_epochs': 1, 'max_iters': 1, 'val_interval': 1, 'val_begin': 0}
_LOADERS = {'batch_size': (1, 10**6), 'num_workers': (0, 1024), 'prefetch_factor': (1, 10**4)}
_HOOK_INTERVALS = ('logger', 'visualization')


def check_numbers(cfg: Config) -> None:
    """Raises ValueError for a number out of its range. The message names the key and the range."""
    loop = _mapping(cfg.get('train_cfg'))
    for key, least in _LOOPS.items():
        _require_integer(loop.get(key), f'train_cfg.{key}', least, _MOST)
    for phase in ('train', 'val', 'test'):
        loader = _mapping(cfg.get(f'{phase}_dataloader'))
        for key, (least, most) in _LOADERS.items():
            _require_integer(loader.get(key), f'{phase}_dataloader.{key}', least, most)
    wrapper = _mapping(cfg.get('optim_wrapper'))
    _require_integer(wrapper.get('accumulative_counts'), 'optim_wrapper.accumulative_counts', 1, _MOST)
    optimizer = _mapping(wrapper.get('optimizer'))
    for key in ('lr', 'weight_decay'):
        _require_finite(optimizer.get(key), f'optim_wrapper.optimizer.{key}')
    for name in _HOOK_INTERVALS:
        hook = _mapping(_mapping(cfg.get('default_hooks')).get(name))
        _require_integer(hook.get('interval'), f'default_hooks.{name}.interval', 1, _MOST)
    _require_integer(_mapping(cfg.get('randomness')).get('seed'), 'randomness.seed', 0, 2**32 - 1)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _require_integer(value: Any, path: str, least: int, most: int) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise ValueError(f'{path}={str(value)[:60]} must be an integer from {least} to {most}')


def _require_finite(value: Any, path: str) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value < 0:
        raise ValueError(f'{path}={str(value)[:60]} must be a number of at least 0')
