"""Draws one frame of a talking face."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np

from hicmae_mm.datasets.synthetic.face_parts import (
    draw_body,
    draw_brow,
    draw_eye,
    draw_glasses,
    draw_hair_front,
    draw_head,
    draw_lines,
    draw_mouth,
    draw_nose,
)
from hicmae_mm.datasets.synthetic.faces import Expression, FaceIdentity, HeadPose
from hicmae_mm.datasets.synthetic.sketch import Shape, Sketch, render

_SUPERSAMPLING = 2


def draw_face(
    background: np.ndarray, face: FaceIdentity, expression: Expression, pose: HeadPose, mouth_open: float, blink: float
) -> np.ndarray:
    """Draws one frame.

    Args:
        background: ``(H, W, 3)`` uint8 RGB picture behind the head. It is not changed.
        face: Face of the person.
        expression: Expression of the face in this frame.
        pose: Position of the head.
        mouth_open: Opening of the mouth by speech, 0..1.
        blink: 0 leaves the eyes to the expression, 1 closes them.

    Returns:
        ``(H, W, 3)`` uint8 RGB. It is drawn at twice the size and averaged, which smooths edges.
    """
    height, width = background.shape[:2]
    canvas = cv2.resize(background, (width * _SUPERSAMPLING, height * _SUPERSAMPLING), interpolation=cv2.INTER_LINEAR)
    moving = Sketch()
    draw_lines(moving, face, expression)
    for side in (-1, 1):
        draw_eye(moving, face, expression, side, blink)
        draw_brow(moving, face, expression, side)
    draw_nose(moving, face, expression)
    draw_mouth(moving, face, expression, mouth_open)
    render(canvas, [*_behind(face), *moving.shapes, *_in_front(face)], pose)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


@lru_cache(maxsize=64)
def _behind(face: FaceIdentity) -> list[Shape]:
    sketch = Sketch()
    draw_body(sketch, face)
    draw_head(sketch, face)
    return sketch.shapes


@lru_cache(maxsize=64)
def _in_front(face: FaceIdentity) -> list[Shape]:
    sketch = Sketch()
    draw_hair_front(sketch, face)
    if face.has_glasses:
        draw_glasses(sketch, face)
    return sketch.shapes
