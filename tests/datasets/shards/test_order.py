from __future__ import annotations

import itertools

import numpy as np
import pytest

from hicmae_mm.datasets.shards.order import rank_order, rank_part, shuffled_part

COMBINATIONS = [
    (num_samples, num_ranks, per_shard)
    for num_samples, num_ranks, per_shard in itertools.product(
        (1, 2, 7, 16, 61, 128), (1, 2, 3, 8, 16), (1, 5, 16, 500)
    )
    if num_samples >= num_ranks
]


def _runs(num_samples: int, per_shard: int) -> np.ndarray:
    """Lengths of full shards and of what is left."""
    full, rest = divmod(num_samples, per_shard)
    return np.array([per_shard] * full + [rest] * (rest > 0))


def test_parts_of_ranks_follow_one_another_and_differ_by_one_at_most() -> None:
    assert [list(rank_part(7, 3, rank)) for rank in range(3)] == [[0, 1, 2], [3, 4], [5, 6]]
    for num_samples, num_ranks in itertools.product(range(20), range(1, 7)):
        parts = [rank_part(num_samples, num_ranks, rank) for rank in range(num_ranks)]
        assert [i for part in parts for i in part] == list(range(num_samples))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize(('num_samples', 'num_ranks', 'per_shard'), COMBINATIONS)
def test_every_sample_is_read_by_one_rank_once(num_samples: int, num_ranks: int, per_shard: int) -> None:
    runs = _runs(num_samples, per_shard)
    for epoch, window, shuffle in ((0, 1, True), (3, 4, True), (1, 1000, True), (0, 1, False)):
        orders = [
            rank_order(runs, num_ranks, rank, 7, epoch, window, shuffle, round_up=False) for rank in range(num_ranks)
        ]
        assert sorted(np.concatenate(orders).tolist()) == list(range(num_samples))


@pytest.mark.parametrize(('num_samples', 'num_ranks', 'per_shard'), COMBINATIONS)
def test_rounding_up_gives_all_ranks_the_same_number_of_batches(
    num_samples: int, num_ranks: int, per_shard: int
) -> None:
    runs = _runs(num_samples, per_shard)
    orders = [rank_order(runs, num_ranks, rank, 7, 2, 4) for rank in range(num_ranks)]
    assert {len(order) for order in orders} == {-(-num_samples // num_ranks)}
    for batch_size, drop_last in itertools.product((1, 3, 8), (False, True)):
        numbers = {len(order) // batch_size if drop_last else -(-len(order) // batch_size) for order in orders}
        assert len(numbers) == 1
    counts = np.bincount(np.concatenate(orders), minlength=num_samples)
    assert counts.min() == 1
    assert counts.max() <= 2
    assert counts.sum() - num_samples < num_ranks  # nothing is repeated where the ranks divide the samples
    for rank, order in enumerate(orders):
        alone = rank_order(runs, num_ranks, rank, 7, 2, 4, round_up=False)
        assert order[: len(alone)].tolist() == alone.tolist()


def test_more_ranks_than_samples_repeat_samples() -> None:
    orders = [rank_order(np.array([2]), 5, rank, 0, 0).tolist() for rank in range(5)]
    assert [len(order) for order in orders] == [1] * 5
    assert set(itertools.chain(*orders)) == {0, 1}


def test_order_is_a_function_of_seed_and_epoch() -> None:
    runs = np.array([20] * 10)

    def order(seed: int, epoch: int) -> list[int]:
        return rank_order(runs, 2, 1, seed, epoch, window=16).tolist()

    assert order(0, 0) == order(0, 0)
    assert len({tuple(order(seed, epoch)) for seed in range(3) for epoch in range(3)}) == 9


def test_without_shuffling_samples_come_as_they_are_stored() -> None:
    orders = [rank_order(np.array([3, 4, 3]), 2, rank, 5, 9, window=4, shuffle=False).tolist() for rank in (0, 1)]
    assert orders == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_window_of_one_reads_shuffled_shards_from_front_to_back() -> None:
    runs = np.array([3, 1, 4, 2])
    samples = shuffled_part(runs, range(10), seed=1, epoch=0, window=1).tolist()
    shards = [[0, 1, 2], [3], [4, 5, 6, 7], [8, 9]]
    found = []
    while samples:
        shard = next(shard for shard in shards if shard[0] == samples[0])
        found.append(shard)
        assert samples[: len(shard)] == shard
        del samples[: len(shard)]
    assert sorted(found) == shards
    # a rank may begin in the middle of a shard
    halves = [shuffled_part(runs, part, 1, 0, 1).tolist() for part in (range(5), range(5, 10))]
    assert halves[0] + halves[1] == [i for shard in found for i in shard]


def test_window_bounds_how_far_a_sample_moves() -> None:
    runs, window = np.array([50] * 20), 64
    plain = shuffled_part(runs, range(1000), 3, 0, 1).tolist()
    mixed = shuffled_part(runs, range(1000), 3, 0, window).tolist()
    assert sorted(mixed) == sorted(plain)
    moves = np.abs(np.argsort(plain) - np.argsort(mixed))
    assert moves.max() < window
    assert moves.mean() > window / 5  # a uniform shuffle moves by a third of the window


def test_windows_of_two_epochs_do_not_hold_the_same_samples() -> None:
    runs, window = np.array([64] * 8), 64  # windows as long as shards: only their phase mixes shards

    def shards_of_windows(epoch: int) -> list[int]:
        samples = shuffled_part(runs, range(512), 0, epoch, window)
        return [len(set(samples[start : start + window] // 64)) for start in range(0, 512, window)]

    assert max(shards_of_windows(0)) > 1
    assert max(shards_of_windows(1)) > 1


def test_empty_shards_do_no_harm() -> None:
    order = rank_order(np.array([0, 3, 0, 0, 2, 0]), 1, 0, 0, 0, window=2)
    assert sorted(order.tolist()) == [0, 1, 2, 3, 4]
