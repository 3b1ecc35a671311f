"""A sampler whose samples carry their own seed, so that augmentation does not depend on who reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import islice

from mmengine.dataset import DefaultSampler

from hicmae_mm.registry import DATA_SAMPLERS


class SampleIndex(int):
    """An index that knows the seed, the epoch and the index it was drawn with.

    Arithmetic that data set wrappers do (``index - offset``, ``index % length``) keeps them.

    Attributes:
        seed: The sampler's seed.
        epoch: The sampler's epoch.
        key: The index as drawn, before any wrapper changed it.
    """

    seed: int
    epoch: int
    key: int

    def __new__(cls, index: int, seed: int, epoch: int, key: int | None = None) -> SampleIndex:
        """Makes an index; ``key`` defaults to the index itself."""
        self = super().__new__(cls, index)
        self.seed, self.epoch, self.key = seed, epoch, int(index) if key is None else key
        return self

    def __reduce__(self) -> tuple:  # indices travel to worker processes
        return SampleIndex, (int(self), self.seed, self.epoch, self.key)

    def __sub__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) - other, self.seed, self.epoch, self.key)

    def __mod__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) % other, self.seed, self.epoch, self.key)


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """MMEngine's default sampler, yielding :class:`SampleIndex`, and able to start in the middle of an epoch.

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle, differently in every epoch.
        seed: Seed of order and augmentation, the same on every rank. Default: one drawn and shared by all ranks.
        round_up: Whether to repeat samples until every rank has equally many.
    """

    def __init__(self, dataset: Sized, shuffle: bool = True, seed: int | None = None, round_up: bool = True) -> None:
        if len(dataset) == 0:
            raise ValueError('the data set has no samples')
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self._num_skipped = 0

    def skip_samples(self, num_samples: int) -> None:
        """Leaves out the first samples of this rank in the next iteration, and only there.

        Args:
            num_samples: How many, 0 to ``len(self)``.

        Raises:
            ValueError: If there are not that many.
        """
        if not 0 <= num_samples <= len(self):
            raise ValueError(f'cannot skip {num_samples} samples of an epoch of {len(self)}')
        self._num_skipped = num_samples

    def __iter__(self) -> Iterator[int]:
        """Yields the indices of this rank for the current epoch."""
        skipped, self._num_skipped = self._num_skipped, 0
        for index in islice(super().__iter__(), skipped, None):
            yield SampleIndex(index, self.seed, self.epoch)
