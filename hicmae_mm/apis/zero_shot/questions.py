"""Writes the message that asks a language model for the emotions of several clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from hicmae_mm.apis.zero_shot.clips import ShownClip

_CHARACTERS_PER_TOKEN = 4  # of English text, roughly
_ANSWER_TOKENS_PER_CLIP = 40


@dataclass(frozen=True)
class Question:
    """Asks for the emotions of some clips in one message.

    Attributes:
        clips: The clips, in order.
        classes: Names of the classes to rank; None asks for words of any kind (open vocabulary).
    """

    clips: Sequence[ShownClip]
    classes: Sequence[str] | None

    def content(self) -> list[dict[str, Any]]:
        """Returns the parts of the message: the task, then for each clip its number, its words and its pictures."""
        parts: list[dict[str, Any]] = [dict(type='text', text=self.instruction())]
        for number, clip in enumerate(self.clips, start=1):
            parts.append(dict(type='text', text=f'Item {number}' + _quoted(clip.text)))
            for picture in clip.pictures:
                parts.append(dict(type='image_url', image_url=dict(url=f'data:image/jpeg;base64,{picture}')))
        return parts

    def instruction(self) -> str:
        """Returns the text of the task."""
        shown = [
            name
            for name, is_there in (
                ('frames of a video, in order', any(clip.pictures for clip in self.clips)),
                ('the words that are spoken', any(clip.text is not None for clip in self.clips)),
            )
            if is_there
        ]
        count = len(self.clips)
        lines = [
            'You annotate emotions for research.',
            f'Below {"is 1 item" if count == 1 else f"are {count} items"}. An item has {" and ".join(shown)}.',
            'Judge the expression that the person shows, and nothing about who the person is.',
        ]
        if self.classes is None:
            lines.append('For each item list all words of emotion that apply.')
        else:
            names = ', '.join(self.classes)
            lines.append(f'For each item rank these categories from the best fitting to the worst: {names}.')
        lines.append(
            'Answer with JSON alone: a list with one object for each item, in order, such as '
            '[{"item": 1, "emotions": ["...", "..."]}].'
        )
        return '\n'.join(lines)


def _quoted(text: str | None) -> str:
    return '' if text is None else f', spoken words: "{text}"'


def estimate_tokens(question: Question, tokens_per_picture: int) -> tuple[int, int]:
    """Estimates the number of tokens of a question and of its answer.

    Args:
        question: The question.
        tokens_per_picture: Tokens that the endpoint counts for a picture.
    """
    text = sum(len(part['text']) for part in question.content() if part['type'] == 'text')
    pictures = sum(len(clip.pictures) for clip in question.clips)
    return text // _CHARACTERS_PER_TOKEN + pictures * tokens_per_picture, len(question.clips) * _ANSWER_TOKENS_PER_CLIP
