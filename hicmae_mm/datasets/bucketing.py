"""Batches of clips of similar length, so that little of a batch is padding."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler
from mmengine.logging import print_log

from hicmae_mm.datasets.durations import clip_lengths
from hicmae_mm.datasets.samplers import ClassBalancedSampler
from hicmae_mm.datasets.shards import ShardSampler
from hicmae_mm.registry import DATA_SAMPLERS

Step = list[list[int]]  # the batch of every rank


@DATA_SAMPLERS.register_module()
class LengthBucketBatchSampler:
    """Makes batches of clips of similar length out of the clips that another sampler draws.

    In every epoch it takes the clips of all ranks in the order of the sampler, and sorts them by length into buckets.
    The lengths in a bucket differ little. The clips of a bucket are shuffled and cut into steps, of which every rank
    gets an equal part. The steps of all buckets come in random order. So all ranks have clips of similar length at the
    same time, and batches differ from epoch to epoch. An epoch has the same clips as without bucketing, and each clip
    keeps its seed. If clips and ranks do not divide evenly, the shortest clips are repeated.

    With ``budget`` a batch of long clips has fewer clips than a batch of short ones, and the memory that steps need is
    the same.

    Args:
        sampler: The sampler of the data loader: a ``SeededSampler``, ``ClassBalancedSampler`` or ``DefaultSampler``.
        batch_size: Clips in a batch; with ``budget`` the largest number of clips in a batch.
        column: Column of the list with the lengths. None means the seconds of the media, which are read once and kept
            in ``durations.json`` beside the list; see :func:`~hicmae_mm.datasets.durations.clip_lengths`.
        max_length: Length to which the pipeline cuts longer clips. None means that clips are not cut.
        budget: Largest number of clips times longest clip in a batch, in the unit of the lengths, such as 120 seconds.
            A clip that alone is longer forms a batch. None means that all batches have ``batch_size`` clips.
        spread: Largest ratio of the longest to the shortest clip in a bucket, if it has more than one step.
        drop_last: Whether to leave out the last step if it has fewer clips. It cannot be combined with ``budget``.
        store: File in which the lengths of media are kept.

    Raises:
        ValueError: If an option is out of range, or a sampler cannot be combined with bucketing.
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int,
        column: str | None = None,
        max_length: float | None = None,
        budget: float | None = None,
        spread: float = 1.15,
        drop_last: bool = False,
        store: str | None = None,
    ) -> None:
        _check(sampler, batch_size, budget, spread, drop_last)
        lengths = clip_lengths(sampler.dataset, column, store)
        self.lengths = lengths if max_length is None else np.minimum(lengths, max_length)
        self.sampler, self.budget, self.spread, self.drop_last = sampler, budget, spread, drop_last
        self.max_batch_size = batch_size
        self.num_repeats: int = getattr(sampler, 'num_repeats', 1)
        if batch_size % self.num_repeats:
            raise ValueError(f'batch_size={batch_size} must be a multiple of num_repeats={self.num_repeats}')
        self._num_skipped = 0
        steps = self._steps()
        self._num_steps = len(steps)
        self.mean_batch_size = sum(len(batch) for step in steps for batch in step) / max(
            len(steps) * sampler.world_size, 1
        )
        bucketed, plain = self.padding_share(), self._padding_without_buckets()
        print_log(f'{bucketed:.1%} of the batches is padding; without buckets it would be {plain:.1%}', 'current')

    def __len__(self) -> int:
        """Returns the number of batches of every rank in an epoch."""
        return self._num_steps

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the batches of this rank for the current epoch."""
        skipped, self._num_skipped = self._num_skipped, 0
        for step in self._steps()[skipped:]:
            yield step[self.sampler.rank]

    def skip_batches(self, num_batches: int) -> None:
        """Leaves out the first batches of the next iteration, and only of this one.

        Args:
            num_batches: Number of batches, 0 to ``len(self)``.

        Raises:
            ValueError: If an epoch has fewer batches.
        """
        if not 0 <= num_batches <= len(self):
            raise ValueError(f'cannot skip {num_batches} batches of an epoch of {len(self)}')
        self._num_skipped = num_batches

    def padding_share(self) -> float:
        """Returns the share of the batches of all ranks in this epoch that is padding, 0..1."""
        return padding_share([self.lengths[batch] for step in self._steps() for batch in step])

    def _padding_without_buckets(self) -> float:
        drawn, size = self.lengths[self._drawn()], self.max_batch_size * self.sampler.world_size
        steps = [drawn[start : start + size] for start in range(0, len(drawn), size)]
        ranks = range(self.sampler.world_size)
        return padding_share([step[rank :: self.sampler.world_size] for step in steps for rank in ranks])

    def _drawn(self) -> list[int]:
        """Returns the clips of all ranks in this epoch, in the order of the sampler."""
        everything = copy.copy(self.sampler)
        everything.rank, everything.world_size = 0, 1
        everything.num_samples = everything.total_size = len(self.sampler.dataset)
        return list(everything)

    def _steps(self) -> list[Step]:
        """Returns all steps of this epoch, with the batch of every rank."""
        drawn = self._drawn()
        repeats, world_size = self.num_repeats, self.sampler.world_size
        units = [drawn[start : start + repeats] for start in range(0, len(drawn), repeats)]
        lengths = self.lengths[[unit[0] for unit in units]]
        order = np.argsort(-lengths, kind='stable')
        short = -len(order) % world_size
        if short:
            order = np.concatenate([order, np.resize(order[::-1], short)])  # the shortest ones again
        generator = np.random.default_rng((self.sampler.seed, self.sampler.epoch))
        steps: list[Step] = []
        for positions, size in self._buckets(lengths[order]):
            members = generator.permutation(order[positions]) if self.sampler.shuffle else order[positions]
            for start in range(0, len(members), size):
                step = members[start : start + size]
                if self.drop_last and len(step) < size:
                    continue
                if self.sampler.shuffle:  # no rank gets the longest clips of every step
                    parts = np.split(step[np.argsort(-lengths[step], kind='stable')], world_size)
                    parts = [parts[place] for place in generator.permutation(world_size)]
                else:
                    parts = np.split(step, world_size)
                steps.append([[index for place in part for index in units[place]] for part in parts])
        if self.sampler.shuffle:
            steps = [steps[place] for place in generator.permutation(len(steps))]
        return steps

    def _buckets(self, lengths: np.ndarray) -> Iterator[tuple[slice, int]]:
        """Yields ranges of lengths, which fall, and the number of units of all ranks in a step."""
        start, world_size = 0, self.sampler.world_size
        while start < len(lengths):
            longest, clips = lengths[start], self.max_batch_size
            if self.budget is not None:
                clips = min(clips, int(self.budget / longest))
            size = max(clips // self.num_repeats, 1) * world_size
            end = start + size
            while end < len(lengths) and lengths[min(end + size, len(lengths)) - 1] * self.spread >= longest:
                end += size
            yield slice(start, min(end, len(lengths))), size
            start = end


def padding_share(batches: list[np.ndarray]) -> float:
    """Returns the share of padding if each batch of lengths is padded to its longest, 0..1.

    Args:
        batches: Lengths of the clips of every batch.
    """
    filled = sum(float(batch.sum()) for batch in batches)
    padded = sum(float(batch.max()) * len(batch) for batch in batches if len(batch))
    return 1 - filled / padded if padded else 0.0


def _check(sampler: Any, batch_size: int, budget: float | None, spread: float, drop_last: bool) -> None:
    name = type(sampler).__name__
    if not isinstance(sampler, DefaultSampler) or isinstance(sampler, ShardSampler):
        raise ValueError(
            f'LengthBucketBatchSampler cannot be combined with {name}; use SeededSampler, ClassBalancedSampler or '
            'DefaultSampler'
        )
    if budget is not None and isinstance(sampler, ClassBalancedSampler):
        raise ValueError(
            f'{name} draws other clips in every epoch, so with budget the number of steps would change: leave budget '
            'out, or use SeededSampler'
        )
    if not sampler.round_up and sampler.world_size > 1:
        raise ValueError('LengthBucketBatchSampler gives every rank the same number of steps: use round_up=True')
    if batch_size < 1 or spread < 1 or (budget is not None and budget <= 0):
        raise ValueError(
            f'batch_size and spread must be at least 1 and budget above 0, got {batch_size}, {spread} and {budget}'
        )
    if drop_last and budget is not None:
        raise ValueError('drop_last cannot be combined with budget, because batches then differ in size')
