from __future__ import annotations

import pickle

import pytest
from mmengine.dataset import ConcatDataset, RepeatDataset

from hicmae_mm.datasets import AudioVisualDataset, SampleIndex, SeededSampler
from tests.conftest import MediaFolder


def test_order_repeats_and_changes_with_the_epoch() -> None:
    sampler = SeededSampler(range(20), seed=3)
    first = list(sampler)
    assert sorted(first) == list(range(20))
    assert first == list(sampler) == list(SeededSampler(range(20), seed=3))
    sampler.set_epoch(1)
    second = list(sampler)
    assert second != first
    assert {(index.seed, index.epoch) for index in second} == {(3, 1)}
    assert [index.key for index in second] == second


def test_skips_once() -> None:
    sampler = SeededSampler(range(10), seed=0)
    whole = list(sampler)
    sampler.skip_samples(7)
    assert list(sampler) == whole[7:]
    assert list(sampler) == whole
    with pytest.raises(ValueError, match='cannot skip 11 samples of an epoch of 10'):
        sampler.skip_samples(11)


def test_repeated_samples_stand_together_under_seeds_of_their_own() -> None:
    plain, sampler = SeededSampler(range(10), seed=0), SeededSampler(range(10), seed=0, num_repeats=3)
    drawn = list(sampler)
    assert len(drawn) == len(sampler) == 30
    assert drawn[::3] == drawn[1::3] == drawn[2::3] == list(plain)  # next to each other, in the order of one clip each
    assert [index.key for index in drawn[::3]] == [index.key for index in plain]  # the first has the seed it had
    assert len({index.key for index in drawn}) == 30
    sampler.skip_samples(7)
    assert [index.key for index in sampler] == [index.key for index in drawn[7:]]
    with pytest.raises(ValueError, match='num_repeats must be at least 1, got 0'):
        SeededSampler(range(10), num_repeats=0)


def test_repeated_clips_differ(media: MediaFolder) -> None:
    import random

    dataset = AudioVisualDataset(
        str(media.annotation('a b 0', 'c d 1')), [lambda info: info | dict(draw=random.random())], num_classes=2
    )
    clips = [dataset[index] for index in SeededSampler(dataset, shuffle=False, seed=0, num_repeats=2)]
    assert [clip['gt_label'] for clip in clips] == [0, 0, 1, 1]
    assert len({clip['draw'] for clip in clips}) == 4


def test_ranks_share_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    shares = []
    for rank in range(3):
        sampler = SeededSampler(range(10), seed=0)
        sampler.rank, sampler.world_size, sampler.num_samples, sampler.total_size = rank, 3, 4, 12
        shares.append(list(sampler))
    assert sorted({index for share in shares for index in share}) == list(range(10))
    assert [len(share) for share in shares] == [4, 4, 4]


def test_empty_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match='no samples'):
        SeededSampler([])


def test_index_is_an_int_that_survives_pickling_and_wrappers() -> None:
    index = SampleIndex(7, seed=1, epoch=2)
    for copy in (index, pickle.loads(pickle.dumps(index))):
        assert (copy, copy.seed, copy.epoch, copy.key) == (7, 1, 2, 7)
    for changed, value in ((index - 5, 2), (index % 4, 3)):
        assert (changed, changed.seed, changed.epoch, changed.key) == (value, 1, 2, 7)


def test_wrapped_data_sets_keep_the_seed(media: MediaFolder) -> None:
    import random

    def draw(results: dict) -> dict:
        return dict(draw=random.random())

    dataset = AudioVisualDataset(str(media.annotation('a b 0', 'c d 1')), [draw], num_classes=2)
    joined = ConcatDataset([dataset, dataset])
    repeated = RepeatDataset(dataset, times=2)
    for wrapped in (joined, repeated):
        draws = [wrapped[SampleIndex(i, seed=0, epoch=0)]['draw'] for i in range(4)]
        assert len(set(draws)) == 4
        assert draws == [wrapped[SampleIndex(i, seed=0, epoch=0)]['draw'] for i in range(4)]
