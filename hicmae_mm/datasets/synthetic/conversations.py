"""Conversations: the clips of two actors, in turns, with an emotion that most of the utterances share."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np

_SHARE_MOVED = 0.5  # of the utterances, which get into another conversation than that of their emotion


class ActedClip(Protocol):
    """Declares what is needed of a clip."""

    @property
    def actor(self) -> int:
        """Returns the number of the actor."""

    @property
    def label(self) -> int:
        """Returns the index of the emotion."""


C = TypeVar('C', bound=ActedClip)


@dataclass(frozen=True)
class Turn:
    """States the place of a clip: the numbers of the conversation and of the utterance in it, both from 0."""

    conversation: int
    turn: int


def plan_conversations(clips: Sequence[C], rng: np.random.Generator) -> list[tuple[C, Turn]]:
    """Sorts clips into conversations of two actors who speak in turns.

    For every pair of actors there is a conversation per emotion, with all their clips of it. Then some of the clips of
    each actor change places. So the other utterances tell something of an utterance, but not everything. An actor
    without a partner talks alone.

    Args:
        clips: Clips with the same number for every actor and emotion.
        rng: Source of every random choice.

    Returns:
        Every clip with its place, sorted by it.
    """
    planned: list[tuple[C, Turn]] = []
    actors, labels = sorted({clip.actor for clip in clips}), sorted({clip.label for clip in clips})
    for first in range(0, len(actors), 2):
        pair = actors[first : first + 2]
        ordered = [_with_moved([clip for clip in clips if clip.actor == actor], rng) for actor in pair]
        num_turns = len(ordered[0]) // len(labels)
        for conversation in range(len(labels)):
            place = first // 2 * len(labels) + conversation
            spoken = [own[conversation * num_turns : (conversation + 1) * num_turns] for own in ordered]
            turns = [clip for round_ in zip(*spoken) for clip in round_]
            planned += [(clip, Turn(place, number)) for number, clip in enumerate(turns)]
    return planned


def _with_moved(clips: Sequence[C], rng: np.random.Generator) -> list[C]:
    """Sorts the clips of an actor by emotion, and exchanges some of them."""
    ordered = sorted(clips, key=lambda clip: clip.label)
    moved = np.flatnonzero(rng.random(len(ordered)) < _SHARE_MOVED)
    exchanged = list(ordered)
    for place, source in zip(moved, rng.permutation(moved)):
        exchanged[place] = ordered[source]
    return exchanged
