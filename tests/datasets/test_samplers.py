from __future__ import annotations

import pickle
from collections import Counter

import pytest
from mmengine.dataset import ClassBalancedDataset, ConcatDataset, RepeatDataset

from hicmae_mm.datasets import AudioVisualDataset, ClassBalancedSampler, SampleIndex, SeededSampler
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


# 8 clips of class 0, 2 of class 1, 1 of class 2
LABELS = (0, 1, 0, 0, 2, 0, 0, 1, 0, 0, 0)


def labelled(media: MediaFolder, labels: tuple[int, ...] = LABELS, **options: object) -> AudioVisualDataset:
    lines = (f'v{number} a{number} {label}' for number, label in enumerate(labels))
    return AudioVisualDataset(str(media.annotation(*lines)), [], **(dict(num_classes=4) | options))


def test_classes_are_drawn_equally_often(media: MediaFolder) -> None:
    sampler = ClassBalancedSampler(labelled(media), seed=1)
    seen: Counter[int] = Counter()
    for epoch in range(12):
        sampler.set_epoch(epoch)
        drawn = list(sampler)
        assert len(drawn) == len(sampler) == 11
        assert sorted(Counter(LABELS[index] for index in drawn).values()) == [3, 4, 4]
        assert Counter(drawn)[4] in (3, 4)  # the one clip of class 2
        assert {Counter(drawn)[1], Counter(drawn)[7]} <= {1, 2}  # both clips of class 1 before one comes again
        assert max(Counter(drawn)[index] for index in drawn if LABELS[index] == 0) == 1
        assert len({index.key for index in drawn}) == 11  # every draw under a seed of its own
        assert all(index.key % 11 == index for index in drawn)
        seen.update(drawn)
    assert set(seen) == set(range(11))  # frequent classes are seen whole over the epochs
    assert list(sampler) == drawn
    assert list(ClassBalancedSampler(labelled(media), seed=1)) != drawn  # another epoch


def test_balanced_draws_resume_repeat_and_spread_over_ranks(media: MediaFolder) -> None:
    dataset = labelled(media)
    whole = list(ClassBalancedSampler(dataset, seed=3))
    resumed = ClassBalancedSampler(dataset, seed=3)
    resumed.skip_samples(4)
    assert [(index, index.key) for index in resumed] == [(index, index.key) for index in whole[4:]]
    repeated = list(ClassBalancedSampler(dataset, seed=3, num_repeats=2))
    assert repeated[::2] == repeated[1::2] == whole
    assert len({index.key for index in repeated}) == 22
    shares = []
    for rank in range(3):
        sampler = ClassBalancedSampler(dataset, seed=3)
        sampler.rank, sampler.world_size, sampler.num_samples, sampler.total_size = rank, 3, 4, 12
        shares.append(list(sampler))
    assert [len(share) for share in shares] == [4, 4, 4]
    assert [shares[place % 3][place // 3] for place in range(11)] == whole


def test_balancing_sees_through_wrappers_and_needs_classes(media: MediaFolder) -> None:
    dataset = labelled(media)
    joined = ClassBalancedSampler(ConcatDataset([dataset, dataset]), seed=0)
    assert sorted(Counter(LABELS[index % 11] for index in joined).values()) == [7, 7, 8]
    with pytest.raises(ValueError, match='shuffle=False is not possible'):
        ClassBalancedSampler(dataset, shuffle=False)
    with pytest.raises(ValueError, match='range cannot list the classes'):
        ClassBalancedSampler(range(3))
    with pytest.raises(ValueError, match='balancing needs class labels, .* check its task'):
        ClassBalancedSampler(labelled(media, task='regression', num_classes=None))


def test_mmengines_balanced_data_set_works_too(media: MediaFolder) -> None:
    dataset = ClassBalancedDataset(labelled(media), oversample_thr=0.5)
    counts = Counter(dataset.get_data_info(index)['gt_label'] for index in range(len(dataset)))
    assert counts == {0: 8, 1: 4, 2: 3}  # repeated sqrt(0.5 / share) times, rounded up: 1, 2, 3
