"""Batches of whole conversations."""

from __future__ import annotations

from typing import Any

import pytest

from hicmae_mm.datasets import ClassBalancedSampler, ConversationBatchSampler, SeededSampler


class Talk(list[tuple[str, int]]):
    """Utterances: the name of the conversation and the turn."""

    def get_data_info(self, index: int) -> dict[str, Any]:
        dialogue, turn = self[index]
        return dict(columns=dict(dialogue=dialogue, turn=turn), position=f'line {index + 2}', gt_label=0)


TALK = Talk([('a', 1), ('b', 10), ('a', 0), ('c', 0), ('b', 9), ('a', 2), ('d', 0), ('e', 0)])
IN_ORDER = {'a': [2, 0, 5], 'b': [4, 1], 'c': [3], 'd': [6], 'e': [7]}


def sampler_of(dataset: Talk, rank: int = 0, world_size: int = 1, **options: Any) -> SeededSampler:
    sampler = SeededSampler(dataset, seed=4, **options)
    sampler.rank, sampler.world_size = rank, world_size
    sampler.num_samples = -(-len(dataset) // world_size)
    sampler.total_size = sampler.num_samples * world_size
    return sampler


def test_conversations_come_once_and_in_order() -> None:
    batches = ConversationBatchSampler(sampler_of(TALK), 2)
    seen = []
    for epoch in range(4):
        batches.sampler.set_epoch(epoch)
        found = list(batches)
        assert len(found) == len(batches) == 3
        flat = [index for batch in found for index in batch]
        assert sorted(flat) == list(range(8))
        assert {(index.seed, index.epoch) for index in flat} == {(4, epoch)}
        for members in IN_ORDER.values():
            places = [flat.index(index) for index in members]
            assert places == list(range(places[0], places[0] + len(members)))
        seen.append([int(index) for index in flat])
    assert len({tuple(flat) for flat in seen}) > 1
    batches.skip_batches(2)
    last = list(batches)
    assert last == found[2:]
    assert len(list(batches)) == 3  # only once
    assert batches.mean_batch_size == pytest.approx(5 / 3)


def test_ranks_share_the_conversations() -> None:
    parts = [list(ConversationBatchSampler(sampler_of(TALK, rank, 2, shuffle=False), 1)) for rank in range(2)]
    assert parts == [[[2, 0, 5], [3], [7]], [[4, 1], [6], [2, 0, 5]]]  # the first one again at the end
    parts = [list(ConversationBatchSampler(sampler_of(TALK, rank, 2), 2, drop_last=True)) for rank in range(2)]
    assert [len(part) for part in parts] == [1, 1]


def test_long_conversations_are_cut() -> None:
    batches = ConversationBatchSampler(sampler_of(TALK, shuffle=False), 1, max_utterances=2)
    assert [[int(index) for index in batch] for batch in batches] == [[2, 0], [5], [4, 1], [3], [6], [7]]
    batches = ConversationBatchSampler(sampler_of(TALK, shuffle=False), 1, order=None)
    assert next(iter(batches)) == [0, 2, 5]


@pytest.mark.parametrize(
    ('sampler', 'options', 'message'),
    [
        (sampler_of(TALK), dict(conversation='episode'), "line 2: the sample has no 'episode'"),
        (sampler_of(TALK), dict(order='dialogue'), "line 2: column 'dialogue' must hold the number"),
        (sampler_of(TALK, num_repeats=2), {}, 'draws every utterance once, got SeededSampler'),
        (ClassBalancedSampler(TALK, seed=0), {}, 'got ClassBalancedSampler'),
        (sampler_of(TALK), dict(max_utterances=0), 'must be at least 1, got 2 and 0'),
        (SeededSampler(range(3), seed=0), {}, 'range cannot list its samples'),
    ],
)
def test_what_is_refused(sampler: Any, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ConversationBatchSampler(sampler, 2, **options)
