"""Batches of whole conversations, so that a model can use the utterances around each utterance."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.dataset import DefaultSampler

from hicmae_mm.datasets.labels import as_number
from hicmae_mm.datasets.records import CONVERSATION, TURN
from hicmae_mm.datasets.samplers import ClassBalancedSampler
from hicmae_mm.datasets.shards import ShardSampler
from hicmae_mm.registry import DATA_SAMPLERS


@DATA_SAMPLERS.register_module()
class ConversationBatchSampler:
    """Makes batches of whole conversations: all utterances of a conversation stand in one batch, in their order.

    A sample remains an utterance. So pipelines, seeds, metrics and dumps are those of any other list, and a broken
    utterance can be skipped alone. :class:`~hicmae_mm.models.conversation.ConversationRecognizer` finds the
    conversations of a batch by the same column.

    Every epoch has every conversation once, in another order if the sampler shuffles. If conversations and ranks do not
    divide evenly, the first conversations of the epoch are repeated; metrics count repeated utterances once.

    Args:
        sampler: The sampler of the data loader: a ``SeededSampler`` or ``DefaultSampler``.
        batch_size: Conversations in a batch.
        conversation: Column of the list that names the conversation.
        order: Column of the list with a number by which the utterances of a conversation are sorted. None keeps the
            order of the list.
        max_utterances: Longer conversations are cut into parts of so many utterances. None cuts nothing.
        drop_last: Whether to leave out the last step if it has fewer conversations.

    Raises:
        ValueError: If an option is out of range, a sample does not say to which conversation it belongs, or the sampler
            draws utterances more than once.

    Example:
        >>> class Talk(list):
        ...     def get_data_info(self, index):
        ...         return dict(columns=dict(dialogue=self[index][0], turn=self[index][1]))
        >>> talk = Talk([('a', 1), ('b', 0), ('a', 0)])
        >>> list(ConversationBatchSampler(DefaultSampler(talk, shuffle=False), batch_size=1))
        [[2, 0], [1]]
    """

    def __init__(
        self,
        sampler: Any,
        batch_size: int,
        conversation: str = CONVERSATION,
        order: str | None = TURN,
        max_utterances: int | None = None,
        drop_last: bool = False,
    ) -> None:
        _check(sampler, batch_size, max_utterances)
        self.sampler, self.batch_size, self.drop_last = sampler, batch_size, drop_last
        self.conversations = find_conversations(sampler.dataset, conversation, order, max_utterances)
        self._num_skipped = 0

    @property
    def mean_batch_size(self) -> float:
        """Returns the mean number of conversations in a batch of a rank."""
        return self.batch_size if self.drop_last else len(self.conversations) / (len(self) * self.sampler.world_size)

    def __len__(self) -> int:
        """Returns the number of batches of every rank in an epoch."""
        size: int = self.batch_size * self.sampler.world_size
        return len(self.conversations) // size if self.drop_last else -(-len(self.conversations) // size)

    def __iter__(self) -> Iterator[list[int]]:
        """Yields the batches of this rank for the current epoch."""
        skipped, self._num_skipped = self._num_skipped, 0
        drawn = {int(index): index for index in self._drawn()}  # with their seeds
        world_size, size = self.sampler.world_size, self.batch_size * self.sampler.world_size
        order = self._order()
        for step in range(skipped, len(self)):
            places = order[step * size : (step + 1) * size]
            places = np.concatenate([places, order[: -len(places) % world_size]])
            mine = places[self.sampler.rank :: world_size]
            yield [drawn[index] for place in mine for index in self.conversations[place]]

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

    def _order(self) -> np.ndarray:
        count = len(self.conversations)
        if not self.sampler.shuffle:
            return np.arange(count)
        return np.random.default_rng((self.sampler.seed, self.sampler.epoch)).permutation(count)

    def _drawn(self) -> Sequence[int]:
        """Returns the utterances of all ranks in this epoch."""
        everything = copy.copy(self.sampler)
        everything.rank, everything.world_size = 0, 1
        everything.num_samples = everything.total_size = len(self.sampler.dataset)
        return list(everything)


def find_conversations(
    dataset: Any, conversation: str = CONVERSATION, order: str | None = TURN, max_utterances: int | None = None
) -> list[list[int]]:
    """Lists the indices of the utterances of every conversation of a data set.

    Args:
        dataset: A data set, or a wrapper of data sets, with the method ``get_data_info``.
        conversation: Column that names the conversation.
        order: Column with the number by which utterances are sorted. None keeps the order of the list.
        max_utterances: Longer conversations are cut into parts of so many utterances.

    Raises:
        ValueError: If a sample lacks one of the columns, or its order is not a number.
    """
    if not hasattr(dataset, 'get_data_info'):
        raise ValueError(f'{type(dataset).__name__} cannot list its samples, which batches of conversations need')
    found: dict[str, list[tuple[float, int]]] = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        columns, place = info.get('columns', {}), info.get('position', info.get('sample_id'))
        if columns.get(conversation) in (None, ''):
            raise ValueError(
                f'{place}: the sample has no {conversation!r}, which says to which conversation it belongs; the list '
                f'must be a table with this column, it has {sorted(columns)}'
            )
        number = 0.0 if order is None else as_number(columns.get(order))
        if number is None:
            raise ValueError(
                f'{place}: column {order!r} must hold the number of the utterance in its conversation, got '
                f'{columns.get(order)!r}; order=None keeps the order of the list'
            )
        found.setdefault(str(columns[conversation]), []).append((number, index))
    parts = []
    for utterances in found.values():
        indices = [index for _, index in sorted(utterances)]
        size = max_utterances or len(indices)
        parts += [indices[start : start + size] for start in range(0, len(indices), size)]
    return parts


def _check(sampler: Any, batch_size: int, max_utterances: int | None) -> None:
    name = type(sampler).__name__
    is_suited = isinstance(sampler, DefaultSampler) and not isinstance(sampler, (ShardSampler, ClassBalancedSampler))
    if not is_suited or getattr(sampler, 'num_repeats', 1) > 1:
        raise ValueError(
            f'ConversationBatchSampler needs a sampler that draws every utterance once, got {name}; use SeededSampler '
            'with num_repeats=1, or DefaultSampler'
        )
    if batch_size < 1 or (max_utterances is not None and max_utterances < 1):
        raise ValueError(f'batch_size and max_utterances must be at least 1, got {batch_size} and {max_utterances}')
