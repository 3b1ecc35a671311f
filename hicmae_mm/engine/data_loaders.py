"""Applies the rules for data loaders: the options that apply on this machine, and the samples that every rank needs."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.dist import get_world_size
from torch.utils.data import DataLoader

from hicmae_mm.registry import FUNCTIONS


def applicable_options(dataloader: dict[str, Any]) -> dict[str, Any]:
    """Returns the config of a data loader with the options that apply on this machine.

    Options that need a GPU or worker processes are left out without them. ``drop_last`` moves into the batch sampler,
    and functions that this package registers are looked up here, because MMEngine ignores the default scope for them.

    Args:
        dataloader: Config of the data loader. It is not changed.

    Example:
        >>> from hicmae_mm.engine.data_loaders import applicable_options
        >>> applicable_options(dict(batch_size=2, num_workers=0, prefetch_factor=4, pin_memory=False))
        {'batch_size': 2, 'num_workers': 0, 'pin_memory': False}
    """
    options = dict(dataloader)
    if not torch.cuda.is_available():
        options['pin_memory'] = False
    if not options.get('num_workers'):
        for name in ('persistent_workers', 'prefetch_factor'):
            options.pop(name, None)
    if isinstance(options.get('batch_sampler'), dict) and 'drop_last' in options:
        options['batch_sampler'] = {**options['batch_sampler'], 'drop_last': options.pop('drop_last')}
    for slot in ('collate_fn', 'worker_init_fn'):
        given = options.get(slot)
        kind = given.get('type') if isinstance(given, dict) else None
        if isinstance(kind, str) and FUNCTIONS.get(kind) is not None:
            options[slot] = {**options[slot], 'type': FUNCTIONS.get(kind)}
    return options


def check_every_rank_has_samples(loader: DataLoader[Any]) -> None:
    """Checks that every rank gets at least one sample and one batch.

    Args:
        loader: The built data loader.

    Raises:
        ValueError: If there are fewer samples than ranks, or not one full batch with ``drop_last=True``.
    """
    num_samples = len(loader.dataset)  # type: ignore[arg-type]
    source = getattr(loader.dataset, 'ann_file', type(loader.dataset).__name__)
    if num_samples < get_world_size():
        raise ValueError(
            f'{get_world_size()} ranks but only {num_samples} samples in {source!r}: start at most {num_samples} '
            'processes (GPUS)'
        )
    if len(loader) == 0:
        raise ValueError(
            f'{source!r} has {num_samples} samples on {get_world_size()} ranks: not one full batch of '
            f'{loader.batch_size}; lower batch_size or set drop_last=False'
        )
