from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hicmae_mm.datasets.synthetic.drawing import draw_face
from hicmae_mm.datasets.synthetic.faces import EXPRESSIONS, HAIR_STYLES, Expression, HeadPose, sample_face

BACKGROUND = np.full((96, 96, 3), 150, np.uint8)
POSE = HeadPose(yaw=0.0, pitch=0.0, roll=0.0, x=0.5, y=0.53, scale=0.4)
FACE = replace(sample_face(np.random.default_rng(0)), has_glasses=False, beard=0.0, hair_style='short')


def _draw(expression: Expression, mouth_open: float = 0.0, blink: float = 0.0, pose: HeadPose = POSE) -> np.ndarray:
    return draw_face(BACKGROUND, FACE, expression, pose, mouth_open, blink).astype(int)


def _difference(first: np.ndarray, second: np.ndarray, rows: slice) -> float:
    return float(np.abs(first - second)[rows, 25:71].mean())


BROWS, EYES, MOUTH = slice(32, 44), slice(42, 52), slice(64, 84)


@pytest.mark.parametrize('hair_style', HAIR_STYLES)
@pytest.mark.parametrize('beard', [0.0, 0.8])
def test_every_look_is_drawn_and_the_background_stays(hair_style: str, beard: float) -> None:
    face = replace(FACE, hair_style=hair_style, beard=beard, has_glasses=beard > 0)
    picture = draw_face(BACKGROUND, face, EXPRESSIONS['smile'], POSE, 0.5, 0.0)
    assert picture.shape == (96, 96, 3)
    assert picture.dtype == np.uint8
    assert (BACKGROUND == 150).all()
    np.testing.assert_array_equal(picture[1, 1], [150, 150, 150])
    skin = picture[56:60, 56:62].reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(skin, np.minimum(np.array(face.skin) * 1.02, 255), atol=40)


@pytest.mark.parametrize('name', list(EXPRESSIONS))
def test_expressions_show_in_brows_eyes_and_mouth(name: str) -> None:
    rest, acted = _draw(Expression()), _draw(EXPRESSIONS[name])
    for rows in (BROWS, EYES, MOUTH):
        assert _difference(rest, acted, rows) > 3


def test_speech_moves_the_mouth_and_a_blink_the_eyes_only() -> None:
    rest, speaking, blinking = _draw(Expression()), _draw(Expression(), mouth_open=1.0), _draw(Expression(), blink=1.0)
    assert _difference(rest, speaking, MOUTH) > 8
    assert _difference(rest, speaking, EYES) == 0
    assert _difference(rest, blinking, EYES) > 3
    assert _difference(rest, blinking, MOUTH) == 0


def test_pose_moves_the_head() -> None:
    moved = _draw(Expression(), pose=replace(POSE, x=0.6))
    here = _draw(Expression())
    shift = np.abs(here - 150).sum(axis=(0, 2)) @ np.arange(96) / np.abs(here - 150).sum()
    there = np.abs(moved - 150).sum(axis=(0, 2)) @ np.arange(96) / np.abs(moved - 150).sum()
    assert there - shift == pytest.approx(9.6, abs=2.5)


def test_identities_differ_and_intensity_scales() -> None:
    rng = np.random.default_rng(1)
    assert len({sample_face(rng) for _ in range(20)}) == 20
    assert EXPRESSIONS['scowl'].scaled(0.5).brow_inner == -0.5
    assert EXPRESSIONS['scowl'].varied(np.random.default_rng(0), 0.0) == EXPRESSIONS['scowl']
