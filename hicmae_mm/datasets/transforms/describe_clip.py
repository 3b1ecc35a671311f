"""Puts what is known of a clip into words, for a model of text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.text_files import shown
from hicmae_mm.registry import TRANSFORMS

VALUE_FORMS = ('rounded', 'level')


@TRANSFORMS.register_module()
class DescribeClip(BaseTransform):
    """Writes a text of the transcript, the action units, and the scores that other programs have found.

    A sentence is written for each kind that is asked for, in the order of the arguments. All sources are columns of
    the table (docs/data_format.md). An empty transcript becomes "No speech detected.". A clip all of whose columns of
    the face are empty becomes "No face detected.". The idea is from the textualised recognition of compound emotions
    (ABAW7, 2024).

    Required key: ``columns``. Changed key: ``columns``, which gets the text under ``field``, for ``Tokenize``.

    Args:
        transcript: Column of the words that are spoken; None leaves them out.
        action_units: Name of each action unit -> column with its score.
        emotions: Name of each emotion that the face may show -> column with its score.
        prosody: Name of each emotion that the voice may show -> column with its score.
        values: Name of each value, such as arousal -> column, from 0 to 1.
        unit_threshold: Score above which an action unit is named.
        num_emotions: Number of emotions of the face that are named, the highest first.
        num_prosody: Number of emotions of the voice that are named, the highest first.
        prosody_threshold: Score above which an emotion of the voice is called "High", otherwise "Low".
        value_form: ``'rounded'`` writes values with one decimal. ``'level'`` writes "High" from 0.5 on, and "Low".
        field: Name of the new column.

    Raises:
        ValueError: If nothing is asked for, or an option is out of range.

    Example:
        >>> describe = DescribeClip('text', action_units=dict(AU12='au12', AU4='au4'), values=dict(arousal='arousal'))
        >>> columns = dict(text='How nice!', au12=0.9, au4=0.1, arousal=0.71)
        >>> describe(dict(columns=columns))['columns']['description']
        'The person says: "How nice!" Active action units: AU12. Arousal: 0.7.'
    """

    def __init__(
        self,
        transcript: str | None = None,
        action_units: Mapping[str, str] | None = None,
        emotions: Mapping[str, str] | None = None,
        prosody: Mapping[str, str] | None = None,
        values: Mapping[str, str] | None = None,
        unit_threshold: float = 0.5,
        num_emotions: int = 3,
        num_prosody: int = 10,
        prosody_threshold: float = 0.3,
        value_form: str = 'rounded',
        field: str = 'description',
    ) -> None:
        if transcript is None and not (action_units or emotions or prosody or values):
            raise ValueError('DescribeClip needs a transcript, action_units, emotions, prosody or values')
        if value_form not in VALUE_FORMS:
            raise ValueError(f'value_form must be one of {VALUE_FORMS}, got {value_form!r}')
        if num_emotions < 1 or num_prosody < 1:
            raise ValueError(f'num_emotions and num_prosody must be at least 1, got {num_emotions} and {num_prosody}')
        self.transcript = transcript
        self.action_units, self.emotions = dict(action_units or {}), dict(emotions or {})
        self.prosody, self.values = dict(prosody or {}), dict(values or {})
        self.unit_threshold, self.prosody_threshold = unit_threshold, prosody_threshold
        self.num_emotions, self.num_prosody, self.value_form = num_emotions, num_prosody, value_form
        self.field = field

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the text.

        Raises:
            ValueError: If the list lacks a column.
            MediaError: If a score is not a finite number.
        """
        columns = results.get('columns', {})
        used = [*self.action_units.values(), *self.emotions.values(), *self.prosody.values(), *self.values.values()]
        missing = [name for name in (*used, self.transcript) if name is not None and name not in columns]
        if missing:
            raise ValueError(
                f'{results.get("position", "the sample")}: the list has no column {missing[0]!r}, only '
                f'{sorted(columns)}; tables and JSON lists name columns (docs/data_format.md)'
            )
        sentences = [self._speech(columns), *self._face(columns), self._prosody(columns), *self._values(columns)]
        text = ' '.join(sentence for sentence in sentences if sentence)
        results['columns'] = {**columns, self.field: text}
        return results

    def _speech(self, columns: Mapping[str, Any]) -> str:
        if self.transcript is None:
            return ''
        words = columns[self.transcript]
        words = '' if words is None else ' '.join(str(words).split())
        return f'The person says: "{words}"' if words else 'No speech detected.'

    def _face(self, columns: Mapping[str, Any]) -> list[str]:
        if not self.action_units and not self.emotions:
            return []
        units, emotions = (_scores(columns, names) for names in (self.action_units, self.emotions))
        if not units and not emotions:
            return ['No face detected.']
        active = [name for name, score in units.items() if score > self.unit_threshold]
        sentences = [f'Active action units: {", ".join(active) or "none"}.'] if units else []
        highest = _highest(emotions, self.num_emotions)
        return sentences + ([f'The face shows: {", ".join(highest)}.'] if highest else [])

    def _prosody(self, columns: Mapping[str, Any]) -> str:
        scores = _scores(columns, self.prosody)
        named = [
            f'{name} {"High" if scores[name] > self.prosody_threshold else "Low"}'
            for name in _highest(scores, self.num_prosody)
        ]
        return f'The voice sounds: {", ".join(named)}.' if named else ''

    def _values(self, columns: Mapping[str, Any]) -> list[str]:
        return [
            f'{name.capitalize()}: '
            + (f'{value:.1f}.' if self.value_form == 'rounded' else f'{"High" if value >= 0.5 else "Low"}.')
            for name, value in _scores(columns, self.values).items()
        ]


def _scores(columns: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, float]:
    """Reads the scores whose cells are not empty."""
    scores = {}
    for name, column in names.items():
        cell = columns[column]
        if cell is None or cell == '':
            continue
        try:
            scores[name] = float(cell)
        except (TypeError, ValueError):
            scores[name] = math.nan
        if not math.isfinite(scores[name]):
            raise MediaError(f'the column {column!r} must hold a number, got {shown(cell)}')
    return scores


def _highest(scores: Mapping[str, float], count: int) -> Sequence[str]:
    return sorted(scores, key=lambda name: -scores[name])[:count]
