"""Computes the total batch size of a training, and the learning rate that belongs to it."""

from __future__ import annotations

from typing import Any

from mmengine.optim import OptimWrapper
from torch.utils.data import DataLoader


def total_batch_size(loader: DataLoader[Any], world_size: int, optim_wrapper: OptimWrapper) -> int:
    """Computes the number of samples in one optimizer step, over all ranks and accumulated iterations.

    Args:
        loader: Data loader of the training.
        world_size: Number of ranks.
        optim_wrapper: The optimizer wrapper.
    """
    mean = getattr(loader.batch_sampler, 'mean_batch_size', 1)
    batch_size = mean if loader.batch_size is None else loader.batch_size
    return round(world_size * batch_size * getattr(optim_wrapper, '_accumulative_counts', 1))


def learning_rate_factor(total: int, auto_scale_lr: dict[str, Any]) -> float:
    """Returns the factor of the learning rate for a total batch size.

    Args:
        total: Total batch size.
        auto_scale_lr: ``base_batch_size`` is the batch size for which the learning rate is given.

    Raises:
        ValueError: If there is no ``base_batch_size``.

    Example:
        >>> from hicmae_mm.engine.batch_size import learning_rate_factor
        >>> learning_rate_factor(64, dict(enable=True, base_batch_size=256))
        0.25
    """
    if 'base_batch_size' not in auto_scale_lr:
        raise ValueError('auto_scale_lr needs base_batch_size: the batch size for which the learning rate is given')
    return float(total / auto_scale_lr['base_batch_size'])
