"""Defines the sampler that reads shards from front to back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from hicmae_mm.datasets.samplers import SampleIndex, SeededSampler
from hicmae_mm.datasets.shards.order import rank_order
from hicmae_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ShardSampler(SeededSampler):
    """Shuffles shards, and the samples within a window; each rank takes a contiguous part.

    The order depends on seed, epoch and number of ranks, not on the number of workers. See
    :mod:`~hicmae_mm.datasets.shards.order`.

    Args:
        dataset: An :class:`~hicmae_mm.datasets.shards.AudioVisualShards`.
        shuffle: Whether to shuffle, differently in every epoch.
        seed: Seed of order and augmentation, the same on every rank. Default: one drawn and shared by all ranks.
        round_up: Whether to repeat samples (fewer than there are ranks) until every rank has equally many.
        window: Samples that are shuffled together. Larger mixes better and costs no memory; what it costs is locality:
            reads jump within so many clips of the shards.

    Raises:
        ValueError: If the data set has no shards, or ``window`` is below 1.
    """

    def __init__(
        self, dataset: Any, shuffle: bool = True, seed: int | None = None, round_up: bool = True, window: int = 1024
    ) -> None:
        if not hasattr(dataset, 'run_lengths'):
            raise ValueError(
                f'ShardSampler reads AudioVisualShards, got {type(dataset).__name__}; use SeededSampler for other data '
                'sets and for wrappers'
            )
        if window < 1:
            raise ValueError(f'window must be at least 1, got {window}')
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self.window = window

    def __iter__(self) -> Iterator[int]:
        """Yields the indices of this rank for the current epoch."""
        skipped, self._num_skipped = self._num_skipped, 0
        order = rank_order(
            self.dataset.run_lengths,
            self.world_size,
            self.rank,
            self.seed,
            self.epoch,
            self.window,
            self.shuffle,
            self.round_up,
        )
        for index in order[skipped:]:
            yield SampleIndex(int(index), self.seed, self.epoch)
