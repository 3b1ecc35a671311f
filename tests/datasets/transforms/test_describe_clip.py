from __future__ import annotations

from typing import Any

import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms import DescribeClip

UNITS = {'AU1': 'au1', 'AU12': 'au12'}
FACE = {'joy': 'face_joy', 'fear': 'face_fear', 'anger': 'face_anger'}
VOICE = {'calm': 'voice_calm', 'doubt': 'voice_doubt'}
ROW = dict(
    said='Well,\n  well', au1=0.5, au12='0.51', face_joy=0.2, face_fear=0.7, face_anger=0.1,
    voice_calm=0.31, voice_doubt=0.3, arousal=0.449, valence=0.5,
)  # fmt: skip


def described(row: dict[str, Any], **options: Any) -> str:
    return DescribeClip(**options)(dict(columns=row, position='row 1'))['columns']['description']


def test_every_source_has_its_sentence() -> None:
    text = described(
        ROW,
        transcript='said',
        action_units=UNITS,
        emotions=FACE,
        prosody=VOICE,
        values=dict(arousal='arousal', valence='valence'),
        num_emotions=2,
    )
    assert text == (
        'The person says: "Well, well" Active action units: AU12. The face shows: fear, joy. '
        'The voice sounds: calm High, doubt Low. Arousal: 0.4. Valence: 0.5.'
    )


def test_values_as_levels_and_limits() -> None:
    assert described(ROW, values=dict(arousal='arousal', valence='valence'), value_form='level') == (
        'Arousal: Low. Valence: High.'
    )
    assert described(ROW, prosody=VOICE, num_prosody=1, prosody_threshold=0.9) == 'The voice sounds: calm Low.'
    assert described(ROW, action_units=UNITS, unit_threshold=0.6) == 'Active action units: none.'


@pytest.mark.parametrize('empty', [None, ''])
def test_nothing_said_and_no_face(empty: str | None) -> None:
    row = {**ROW, 'said': empty, **dict.fromkeys((*UNITS.values(), *FACE.values()), empty)}
    assert described(row, transcript='said', action_units=UNITS, emotions=FACE) == (
        'No speech detected. No face detected.'
    )
    assert described({**row, 'au1': 0.9}, action_units=UNITS, emotions=FACE) == 'Active action units: AU1.'


def test_mistakes_are_named() -> None:
    with pytest.raises(ValueError, match=r"row 1: the list has no column 'mood', only \['arousal'"):
        described(ROW, transcript='mood')
    with pytest.raises(MediaError, match=r"the column 'said' must hold a number, got"):
        described(ROW, values=dict(arousal='said'))
    with pytest.raises(MediaError, match=r"the column 'arousal' must hold a number"):
        described({**ROW, 'arousal': float('nan')}, values=dict(arousal='arousal'))
    with pytest.raises(ValueError, match='needs a transcript, action_units, emotions, prosody or values'):
        DescribeClip()
    with pytest.raises(ValueError, match="value_form must be one of .*, got 'words'"):
        DescribeClip('said', value_form='words')
    with pytest.raises(ValueError, match='num_emotions and num_prosody must be at least 1, got 0 and 10'):
        DescribeClip('said', num_emotions=0)
