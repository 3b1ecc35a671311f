from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets import SampleIndex, ShardSampler
from hicmae_mm.registry import DATA_SAMPLERS


class Shards:
    """All that the sampler asks of a data set."""

    run_lengths = np.array([10, 10, 3])

    def __len__(self) -> int:
        return 23


def _sampler(**options) -> ShardSampler:
    return DATA_SAMPLERS.build(dict(type='ShardSampler', dataset=Shards(), seed=3, **options))


def test_samples_carry_seed_and_epoch() -> None:
    sampler = _sampler()
    sampler.set_epoch(4)
    indices = list(sampler)
    assert sorted(indices) == list(range(23))
    assert all(isinstance(index, SampleIndex) for index in indices)
    assert {(index.seed, index.epoch) for index in indices} == {(3, 4)}
    assert [index.key for index in indices] == indices


def test_skipping_leaves_out_the_first_samples_once() -> None:
    sampler = _sampler(window=4)
    whole = list(sampler)
    sampler.skip_samples(9)
    assert list(sampler) == whole[9:]
    assert list(sampler) == whole
    sampler.set_epoch(1)
    assert list(sampler) != whole
    with pytest.raises(ValueError, match='cannot skip 24 samples of an epoch of 23'):
        sampler.skip_samples(24)


def test_ranks_share_an_epoch() -> None:
    samplers = [_sampler() for _ in range(4)]
    for rank, sampler in enumerate(samplers):
        sampler.rank, sampler.world_size, sampler.num_samples = rank, 4, 6
    orders = [list(sampler) for sampler in samplers]
    assert [len(order) for order in orders] == [len(sampler) for sampler in samplers] == [6] * 4
    assert {index for order in orders for index in order} == set(range(23))


def test_unshuffled() -> None:
    assert list(_sampler(shuffle=False)) == list(range(23))


def test_other_data_sets_and_windows_are_refused() -> None:
    with pytest.raises(ValueError, match='ShardSampler reads AudioVisualShards, got list; use SeededSampler'):
        ShardSampler([1, 2])
    with pytest.raises(ValueError, match='window must be at least 1, got 0'):
        _sampler(window=0)
