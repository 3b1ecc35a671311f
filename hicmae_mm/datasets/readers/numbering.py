"""Gives every sample of a training set a number of its own, also when data sets are joined or repeated."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def number_samples(dataset: Any) -> int:
    """Makes the ``sample_idx`` of samples unique in joined data sets.

    A data set counts its samples from 0. Of joined data sets, each one here continues after the one before. A data set
    that is repeated or resampled keeps its numbers, so the repetitions of a sample have the same number.

    Args:
        dataset: A data set, or MMEngine's wrappers of data sets (``ConcatDataset``, ``RepeatDataset``,
            ``ClassBalancedDataset``).

    Returns:
        The number of different samples.

    Raises:
        ValueError: If data sets are joined that cannot number their samples.
    """
    total = 0
    leaves = list(_leaves(dataset))
    for leaf in leaves:
        if len(leaves) > 1:
            if not hasattr(leaf, 'first_sample_idx'):
                raise ValueError(
                    f'{type(leaf).__name__} is joined with other data sets and cannot number its samples: give it an '
                    'attribute first_sample_idx that its sample_idx begins with'
                )
            leaf.first_sample_idx = total
        total += len(leaf)
    return total


def _leaves(dataset: Any) -> Iterator[Any]:
    """Yields the data sets below wrappers, each once."""
    seen: set[int] = set()
    waiting = [dataset]
    while waiting:
        item = waiting.pop(0)
        if id(item) in seen:
            continue
        seen.add(id(item))
        if hasattr(item, 'datasets'):
            waiting = [*item.datasets, *waiting]
        elif hasattr(item, 'dataset'):
            waiting.insert(0, item.dataset)
        else:
            yield item
