"""Makes what is said in the clips: short sentences about one of three topics."""

from __future__ import annotations

import numpy as np

TOPICS = {'ANG': 'loss', 'SAD': 'loss', 'DIS': 'meal', 'NEU': 'meal', 'FEA': 'news', 'HAP': 'news'}
"""What each emotion speaks about.

Emotions that lie opposite each other on the ring of looks and voices share a topic. So the words alone leave two
emotions, too, but not those that picture or sound leave: any two of the three streams determine the emotion.
"""

_OPENINGS = ('well', 'you know', 'listen', 'i say', 'look')
_SUBJECTS = {
    'loss': ('the money', 'my ring', 'our house', 'the match'),
    'meal': ('the soup', 'this fish', 'that cheese', 'the bread'),
    'news': ('a letter', 'the call', 'a stranger', 'the result'),
}
_VERBS = {
    'loss': ('is gone', 'was taken', 'is lost'),
    'meal': ('is on the table', 'smells like this', 'was cooked'),
    'news': ('has come', 'is waiting', 'arrived'),
}
_ENDINGS = ('today', 'again', 'this morning', 'as they said', 'at last')


def _all_words() -> list[str]:
    phrases = [
        *_OPENINGS,
        *_ENDINGS,
        *(part for parts in (_SUBJECTS, _VERBS) for some in parts.values() for part in some),
    ]
    return sorted({word for phrase in phrases for word in phrase.split()})


VOCABULARY = ('[UNK]', *_all_words())


def make_transcript(emotion: str, rng: np.random.Generator) -> str:
    """Draws what an actor says with an emotion.

    Args:
        emotion: One of :data:`TOPICS`.
        rng: Source of every random choice.

    Returns:
        Words of :data:`VOCABULARY`, separated by spaces. Opening and ending can be missing.
    """
    topic = TOPICS[emotion]
    parts = [_SUBJECTS[topic], _VERBS[topic]]
    if rng.random() < 0.7:
        parts.insert(0, _OPENINGS)
    if rng.random() < 0.7:
        parts.append(_ENDINGS)
    return ' '.join(str(rng.choice(part)) for part in parts)
