"""Colours that stand for emotions in every picture, whatever the corpus calls them."""

from __future__ import annotations

from collections.abc import Sequence

# Okabe and Ito's colours, safe for colour-blind readers, where they suffice; paler relatives beyond
EMOTION_COLOURS: dict[str, tuple[int, int, int]] = {
    'anger': (213, 94, 0),
    'disgust': (0, 158, 115),
    'fear': (204, 121, 167),
    'happiness': (230, 159, 0),
    'neutral': (128, 128, 128),
    'sadness': (0, 114, 178),
    'surprise': (240, 228, 66),
    'calm': (86, 180, 233),
    'contempt': (102, 51, 0),
    'anxiety': (148, 103, 189),
    'helplessness': (140, 160, 190),
    'disappointment': (90, 90, 140),
    'worry': (148, 103, 189),
    'excitement': (255, 190, 80),
    'other': (90, 70, 60),
}


def palette(classes: Sequence[str]) -> list[tuple[int, int, int]]:
    """Returns a colour, RGB 0..255, for each class.

    Raises:
        KeyError: If a class has none.
    """
    return [EMOTION_COLOURS[name] for name in classes]
