"""Samplers that give every sample its own seed, so that augmentation does not depend on workers and ranks."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from itertools import islice
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from hicmae_mm.registry import DATA_SAMPLERS


class SampleIndex(int):
    """Stores the seed, the epoch and the index with which it was drawn. It is an index itself.

    The arithmetic of data set wrappers (``index - offset``, ``index % length``) keeps these values.

    Attributes:
        seed: Seed of the sampler.
        epoch: Epoch of the sampler.
        key: The drawn index, before a wrapper changed it. Keys of repetitions differ by multiples of the size of the
            data set.
    """

    seed: int
    epoch: int
    key: int

    def __new__(cls, index: int, seed: int, epoch: int, key: int | None = None) -> SampleIndex:
        """Makes an index. ``key`` is by default the index itself."""
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
    """Samples as MMEngine's default sampler. It yields :class:`SampleIndex`, and can start in the middle of an epoch.

    With ``num_repeats`` above 1 every sample is drawn several times in a row, each time with a seed of its own. The
    clips of one video in a batch then differ in time and augmentation (repeated augmentation, Hoffer et al., 2020;
    ``num_sample`` in the published code). An epoch still visits every sample, so it has ``num_repeats`` times as many
    clips. Batch sizes count clips, and should be multiples of ``num_repeats``.

    Args:
        dataset: The data set.
        shuffle: Whether to shuffle the samples, in another order in every epoch.
        seed: Seed of order and augmentation, the same on every rank. None draws one and shares it with all ranks.
        round_up: Whether to repeat samples until every rank has the same number.
        num_repeats: Number of clips of each sample.

    Raises:
        ValueError: If the data set is empty, or ``num_repeats`` is below 1.

    Example:
        >>> sampler = SeededSampler(range(3), shuffle=False, seed=0, num_repeats=2)
        >>> len(sampler), list(sampler)
        (6, [0, 0, 1, 1, 2, 2])
        >>> sampler.skip_samples(4)  # resumes an epoch
        >>> list(sampler)
        [2, 2]
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
        """Returns the number of clips of this rank in an epoch."""
        length: int = super().__len__() * self.num_repeats
        return length

    def skip_samples(self, num_samples: int) -> None:
        """Leaves out the first clips of this rank in the next iteration, and only in this one.

        Args:
            num_samples: Number of clips, including repetitions, 0 to ``len(self)``.

        Raises:
            ValueError: If an epoch has fewer clips.
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
        """Yields pairs for this rank and epoch: an index, and how often it was drawn before in this epoch.

        Repetitions by ``round_up`` do not count.
        """
        return ((index, 0) for index in super().__iter__())


@DATA_SAMPLERS.register_module()
class ClassBalancedSampler(SeededSampler):
    """Draws the same number of clips from every class. An epoch has as many draws as the data set has samples n.

    An epoch has ``n // C`` clips of each of the C classes that occur, and one more of ``n % C`` random classes. Clips
    of a class come in random order, and none comes again before all others of the class came. Clips of rare classes
    therefore come several times, each time with another augmentation. Only a part of the frequent classes
    comes, another part in every epoch.

    Args:
        dataset: The data set. Its samples have class labels.
        shuffle: Must be True, because draws are random. The option exists so that configs can exchange samplers.
        seed: Seed of order and augmentation, the same on every rank. None draws one and shares it with all ranks.
        round_up: Whether to repeat samples until every rank has the same number.
        num_repeats: Number of clips of each draw, see :class:`SeededSampler`.

    Raises:
        ValueError: If the data set is empty or has no class labels, or if ``shuffle`` is False.

    Example:
        >>> class Labelled(list):
        ...     def get_data_info(self, index):
        ...         return dict(gt_label=self[index])
        >>> dataset = Labelled([0, 0, 0, 0, 0, 1])
        >>> sorted(dataset[index] for index in ClassBalancedSampler(dataset, seed=0))
        [0, 0, 0, 1, 1, 1]
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
    """Lists the class index of every sample of a data set.

    Args:
        dataset: A data set, or a wrapper of data sets, with the method ``get_data_info``.

    Raises:
        ValueError: If the data set has no such method, or a sample has no class.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} cannot list the classes of its samples, which balancing needs')
    labels = [dataset.get_data_info(index).get('gt_label') for index in range(len(dataset))]
    if None in labels:
        raise ValueError('balancing needs class labels, the data set has samples without; check its task')
    return labels
