"""Samplers whose samples carry their own seed, so that augmentation does not depend on who reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from hicmae_mm.registry import DATA_SAMPLERS


class SampleIndex(int):
    """An index that knows the seed, the epoch and the index it was drawn with.

    Arithmetic that data set wrappers do (``index - offset``, ``index % length``) keeps them.

    Attributes:
        seed: The sampler's seed.
        epoch: The sampler's epoch.
        key: The index as drawn, before any wrapper changed it; repetitions of it differ by multiples of the data set's
            size.
    """

    seed: int
    epoch: int
    key: int

    def __new__(cls, index: int, seed: int, epoch: int, key: int | None = None) -> SampleIndex:
        """Makes an index; ``key`` defaults to the index itself."""
        self = super().__new__(cls, index)
        self.seed, self.epoch, self.key = seed, epoch, int(index) if key is None else key
        return self

    def __reduce__(self) -> tuple[Any, ...]:  # indices travel to worker processes
        return SampleIndex, (int(self), self.seed, self.epoch, self.key)

    def __sub__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) - other, self.seed, self.epoch, self.key)

    def __mod__(self, other: int) -> SampleIndex:
        return SampleIndex(int(self) % other, self.seed, self.epoch, self.key)


@DATA_SAMPLERS.register_module()
class SeededSampler(DefaultSampler):
    """MMEngine's default sampler, yielding :class:`SampleIndex`, and able to start in the middle of an epoch.

    With ``num_repeats`` every sample is drawn several times in a row, each time under a seed of its own: the clips that
    a batch holds of one video differ in place and augmentation (repeated augmentation, Hoffer et al., 2020; the
    published code's ``num_sample``). An epoch still visits every sample, so it has ``num_repeats`` times as many clips;
    batch sizes count clips, and should be multiples of ``num_repeats``.

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle, differently in every epoch.
        seed: Seed of order and augmentation, the same on every rank. Default: one drawn and shared by all ranks.
        round_up: Whether to repeat samples until every rank has equally many.
        num_repeats: Clips of each sample.

    Raises:
        ValueError: An empty data set, or no clip per sample.
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        round_up: bool = True,
        num_repeats: int = 1,
    ) -> None:
        if len(dataset) == 0:
            raise ValueError('the data set has no samples')
        if num_repeats < 1:
            raise ValueError(f'num_repeats must be at least 1, got {num_repeats}')
        super().__init__(dataset, shuffle=shuffle, seed=seed, round_up=round_up)
        self.num_repeats = num_repeats
        self._num_skipped = 0

    def __len__(self) -> int:
        """Clips of this rank in an epoch."""
        length: int = super().__len__() * self.num_repeats
        return length

    def skip_samples(self, num_samples: int) -> None:
        """Leaves out the first clips of this rank in the next iteration, and only there.

        Args:
            num_samples: How many, repetitions counted, 0 to ``len(self)``.

        Raises:
            ValueError: If there are not that many.
        """
        if not 0 <= num_samples <= len(self):
            raise ValueError(f'cannot skip {num_samples} samples of an epoch of {len(self)}')
        self._num_skipped = num_samples

    def __iter__(self) -> Iterator[int]:
        """Yields the indices of this rank for the current epoch."""
        skipped, self._num_skipped = self._num_skipped, 0
        drawn = (
            (index, earlier * self.num_repeats + repeat)
            for index, earlier in self._draws()
            for repeat in range(self.num_repeats)
        )
        for index, repeat in islice(drawn, skipped, None):
            yield SampleIndex(index, self.seed, self.epoch, index + repeat * len(self.dataset))

    def _draws(self) -> Iterator[tuple[int, int]]:
        """Yields what this rank draws in the current epoch: an index, and how often it was drawn on purpose before."""
        return ((index, 0) for index in super().__iter__())


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(SeededSampler):
    """Draws equally many clips of every class, as many in all as the data set has.

    An epoch has ``n // C`` clips of each of the C classes that occur, and one more of ``n % C`` random ones.
    Clips of a class come in random order, every one before any comes again: those of rare classes several times, each
    time with another augmentation, of frequent classes only some, others in every epoch.

    Args:
        dataset: The data set; its clips have class labels.
        shuffle: True, as in the place of another sampler; draws are random.
        seed: Seed of order and augmentation, the same on every rank. Default: one drawn and shared by all ranks.
        round_up: Whether to repeat samples until every rank has equally many.
        num_repeats: Clips of each draw, see :class:`SeededSampler`.

    Raises:
        ValueError: A data set that is empty or has no class labels, or no shuffling.

    Example:
        >>> sampler = dict(type='ClassBalancedSampler')  # in place of SeededSampler, in train_dataloader
    """

    def __init__(
        self,
        dataset: Sized,
        shuffle: bool = True,
        seed: int | None = None,
        round_up: bool = True,
        num_repeats: int = 1,
    ) -> None:
        if not shuffle:
            raise ValueError('ClassBalancedSampler draws at random, so shuffle=False is not possible')
        super().__init__(dataset, shuffle=True, seed=seed, round_up=round_up, num_repeats=num_repeats)
        labels = np.array(class_labels(dataset))
        self._members = [np.flatnonzero(labels == label) for label in np.unique(labels)]

    def _draws(self) -> Iterator[tuple[int, int]]:
        generator = np.random.default_rng((self.seed, self.epoch))
        size, num_classes = len(self.dataset), len(self._members)
        quotas = np.full(num_classes, size // num_classes)
        quotas[generator.permutation(num_classes)[: size % num_classes]] += 1
        drawn: list[tuple[int, int]] = []  # (index, number of earlier draws of it)
        for members, quota in zip(self._members, quotas):
            rounds = -(-quota // len(members))
            order = np.concatenate([generator.permutation(members) for _ in range(rounds)] or [members[:0]])[:quota]
            drawn += zip(order.tolist(), (np.arange(quota) // len(members)).tolist())
        drawn = [drawn[place] for place in generator.permutation(size)]
        if self.round_up:
            drawn = (drawn * (self.total_size // size + 1))[: self.total_size]
        return iter(drawn[self.rank : self.total_size : self.world_size])


def class_labels(dataset: Any) -> list[int]:
    """The class index of every sample of a data set, also of one that wraps others.

    Raises:
        ValueError: If samples have none.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} cannot list the classes of its samples, which balancing needs')
    labels = [dataset.get_data_info(index).get('gt_label') for index in range(len(dataset))]
    if None in labels:
        raise ValueError('balancing needs class labels, the data set has samples without; check its task')
    return labels
