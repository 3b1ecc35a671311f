"""The drawing of one frame of a talking face.

Points are given in head units: the origin is the middle of the head, x points right, y points down, and the head's
half-height is 1. :func:`_render` turns them with the head and maps them to pixels.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from hicmae_mm.datasets.synthetic.faces import Colour, Expression, FaceIdentity, HeadPose

_SUPERSAMPLING = 2
_SUBPIXEL_BITS = 4


def draw_face(
    background: np.ndarray, face: FaceIdentity, expression: Expression, pose: HeadPose, mouth_open: float, blink: float
) -> np.ndarray:
    """Draws one frame.

    Args:
        background: ``(H, W, 3)`` uint8 RGB picture behind the head; not changed.
        face: Face of the person.
        expression: What it does now.
        pose: Position of the head.
        mouth_open: How far speech opens the mouth, 0..1.
        blink: 0 eyes as the expression has them, 1 closed.

    Returns:
        ``(H, W, 3)`` uint8 RGB, smoothed by drawing larger and averaging.
    """
    height, width = background.shape[:2]
    canvas = cv2.resize(background, (width * _SUPERSAMPLING, height * _SUPERSAMPLING), interpolation=cv2.INTER_LINEAR)
    moving = _Sketch()
    _draw_lines(moving, face, expression)
    for side in (-1, 1):
        _draw_eye(moving, face, expression, side, blink)
        _draw_brow(moving, face, expression, side)
    _draw_nose(moving, face, expression)
    _draw_mouth(moving, face, expression, mouth_open)
    _render(canvas, [*_behind(face), *moving.shapes, *_in_front(face)], pose)
    return cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)


class _Shape(NamedTuple):
    """A polygon, or (``width`` above 0) a line. ``depth``: how much it moves when the head turns, 0 the silhouette."""

    points: np.ndarray  # (P, 2)
    colour: Colour
    depth: float
    width: float
    is_closed: bool


class _Sketch:
    """Collects shapes given in head units."""

    def __init__(self) -> None:
        self.shapes: list[_Shape] = []

    def fill(self, points: np.ndarray, colour: Colour, depth: float = 0.6) -> None:
        self.shapes.append(_Shape(points, colour, depth, 0.0, True))

    def stroke(
        self, points: np.ndarray, colour: Colour, width: float, depth: float = 0.6, is_closed: bool = False
    ) -> None:
        self.shapes.append(_Shape(points, colour, depth, width, is_closed))


def _render(canvas: np.ndarray, shapes: list[_Shape], pose: HeadPose) -> None:
    """Turns the head (as if it were a ball) and draws the shapes one over the other.

    One transformation for all points, and a cache for what does not move: most of the time would go into Python calls.
    """
    unit = pose.scale * min(canvas.shape[:2])  # pixels per head unit
    sizes = [len(shape.points) for shape in shapes]
    points = np.concatenate([shape.points for shape in shapes])
    depths = np.repeat([shape.depth for shape in shapes], sizes)
    bulge = np.sqrt(np.maximum(1 - np.einsum('pc,pc->p', points, points), 0.05))
    turned = points + (depths * bulge)[:, None] * np.array([np.sin(pose.yaw), np.sin(pose.pitch)])
    cos, sin = np.cos(pose.roll), np.sin(pose.roll)
    origin = np.array([pose.x * canvas.shape[1], pose.y * canvas.shape[0]])
    pixels = origin + unit * turned @ np.array([[cos, sin], [-sin, cos]])
    fixed_point = np.rint(pixels * 2**_SUBPIXEL_BITS).astype(np.int32)
    end = 0
    for shape, size in zip(shapes, sizes, strict=True):
        outline = [fixed_point[end : end + size]]
        end += size
        if shape.width == 0:
            cv2.fillPoly(canvas, outline, shape.colour, cv2.LINE_AA, _SUBPIXEL_BITS)
        else:
            thickness = max(1, round(shape.width * unit))
            cv2.polylines(canvas, outline, shape.is_closed, shape.colour, thickness, cv2.LINE_AA, _SUBPIXEL_BITS)


@lru_cache(maxsize=64)
def _behind(face: FaceIdentity) -> list[_Shape]:
    sketch = _Sketch()
    _draw_body(sketch, face)
    _draw_head(sketch, face)
    return sketch.shapes


@lru_cache(maxsize=64)
def _in_front(face: FaceIdentity) -> list[_Shape]:
    sketch = _Sketch()
    _draw_hair_front(sketch, face)
    if face.has_glasses:
        _draw_glasses(sketch, face)
    return sketch.shapes


def _curve(x: np.ndarray, y: np.ndarray | float) -> np.ndarray:
    points = np.empty((len(x), 2))
    points[:, 0], points[:, 1] = x, y
    return points


def _band(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Returns the outline between two curves over the same ``x``."""
    points = np.empty((2 * len(x), 2))
    points[: len(x), 0], points[: len(x), 1] = x, upper
    points[len(x) :, 0], points[len(x) :, 1] = x[::-1], lower[::-1]
    return points


@lru_cache
def _unit_circle(count: int) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return _curve(np.cos(angle), np.sin(angle))


def _ellipse(x: float, y: float, radius_x: float, radius_y: float, count: int = 28) -> np.ndarray:
    return _unit_circle(count) * (radius_x, radius_y) + (x, y)


def _mixed(colour: Colour, other: Colour, share: float) -> Colour:
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(colour, other, strict=True))
    return red, green, blue


def _shaded(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255.0, part * factor) for part in colour)
    return red, green, blue


@lru_cache(maxsize=64)
def _head_outline(face: FaceIdentity) -> np.ndarray:
    x, y = _unit_circle(48).T
    x = np.sign(x) * np.abs(x) ** 0.85
    taper = 1 - 0.7 * (1 - face.jaw_width) * np.clip(y, 0, 1) ** 1.5
    return _curve(face.head_width * x * taper, y)


def _draw_body(sketch: _Sketch, face: FaceIdentity) -> None:
    if face.hair_style == 'long':
        sketch.fill(_ellipse(0, 0.15, face.head_width * 1.28, 1.25), _shaded(face.hair, 0.8), 0.0)
    if face.hair_style == 'bun':
        sketch.fill(_ellipse(0, -1.12, 0.3, 0.26), _shaded(face.hair, 0.85), -0.2)
    if face.hair_style == 'curly':
        for angle in np.linspace(np.pi * 0.9, np.pi * 2.1, 11):
            centre = 0.95 * np.array([face.head_width * 1.1 * np.cos(angle), np.sin(angle)])
            sketch.fill(_ellipse(centre[0], centre[1], 0.3, 0.3, 16), _shaded(face.hair, 0.85), 0.0)
    neck = _curve(np.array([-0.36, 0.36, 0.4, -0.4]), np.array([0.5, 0.5, 1.6, 1.6]))
    sketch.fill(neck, _shaded(face.skin, 0.74), -0.15)
    shoulders = _curve(
        np.array([-0.42, -0.2, 0.2, 0.42, 0.95, 1.3, 1.45, -1.45, -1.3, -0.95]),
        np.array([1.08, 1.26, 1.26, 1.08, 1.2, 1.4, 3, 3, 1.4, 1.2]),
    )
    sketch.fill(shoulders, face.cloth, -0.1)
    for side in (-1, 1):
        sketch.fill(_ellipse(side * face.head_width * 1.0, 0.02, 0.11, 0.2, 16), _shaded(face.skin, 0.86), -0.25)


def _draw_head(sketch: _Sketch, face: FaceIdentity) -> None:
    outline = _head_outline(face)
    for step in np.linspace(0, 1, 5):
        sketch.fill(outline * (1 - 0.42 * step), _shaded(face.skin, 0.86 + 0.16 * step), 0.5 * step)
    if face.beard > 0:
        angle = np.linspace(0.02 * np.pi, 0.98 * np.pi, 24)
        outer = 0.99 * _head_outline(face)[1:24]
        inner = _curve(0.62 * face.head_width * np.cos(angle[::-1]), 0.36 + 0.34 * np.sin(angle[::-1]))
        colour = _mixed(_shaded(face.skin, 0.9), face.hair, face.beard)
        sketch.fill(np.concatenate([outer, inner]), colour, 0.15)
    for side in (-1, 1):  # a little colour on the cheeks
        cheek = _mixed(_shaded(face.skin, 1.0), (226, 96, 84), 0.12)
        sketch.fill(_ellipse(side * 0.40, 0.27, 0.15, 0.11, 18), cheek)


def _draw_hair_front(sketch: _Sketch, face: FaceIdentity) -> None:
    if face.hair_style == 'bald':
        return
    hairline = {'short': -0.62, 'long': -0.6, 'bun': -0.7, 'curly': -0.58, 'parted': -0.66}[face.hair_style]
    angle = np.linspace(np.pi * 1.03, np.pi * 1.97, 24)
    top = _curve(1.06 * face.head_width * np.cos(angle), 1.08 * np.sin(angle))
    u = np.linspace(1, -1, 16)
    if face.hair_style == 'parted':
        fringe = hairline + 0.42 * np.abs(u - 0.35) ** 1.4
    elif face.hair_style == 'short':
        fringe = hairline + 0.30 * u**4 + 0.03 * np.cos(9 * u)
    else:
        fringe = hairline + 0.40 * u**2
    sketch.fill(np.concatenate([top, _curve(0.97 * face.head_width * u, np.minimum(fringe, -0.1))]), face.hair, 0.12)
    shine = _curve(0.55 * face.head_width * np.linspace(-1, 0.1, 8), -0.88 + 0.1 * np.linspace(-1, 0.1, 8) ** 2)
    sketch.stroke(shine, _mixed(face.hair, (255, 255, 255), 0.18), 0.05, 0.12)


def _draw_lines(sketch: _Sketch, face: FaceIdentity, expression: Expression) -> None:
    """Folds that come with an expression: forehead, between the brows, beside the nose, smile lines."""
    skin = _shaded(face.skin, 1.0)
    dark = _shaded(face.skin, 0.6)
    worry = np.clip(expression.brow_inner, 0, 1)
    if worry > 0.3:
        u = np.linspace(-1, 1, 9)
        for row in (-0.48, -0.56):
            sketch.stroke(_curve(0.26 * u, row + 0.03 * u**2), _mixed(skin, dark, 0.55 * worry), 0.02)
    frown = np.clip(min(expression.brow_squeeze, -expression.brow_inner), 0, 1)
    if frown > 0.3:
        for side in (-1, 1):
            line = np.array([[side * 0.05, -0.34], [side * 0.035, -0.2]])
            sketch.stroke(line, _mixed(skin, dark, 0.8 * frown), 0.025)
    fold = np.clip(max(expression.smile, expression.nose_wrinkle), 0, 1)
    if fold > 0.3:
        t = np.linspace(0, 1, 8)
        for side in (-1, 1):
            line = _curve(side * (0.15 + 0.2 * t + 0.05 * np.sin(np.pi * t)), 0.22 + 0.26 * t)
            sketch.stroke(line, _mixed(skin, dark, 0.5 * fold), 0.025)


def _draw_eye(sketch: _Sketch, face: FaceIdentity, expression: Expression, side: int, blink: float) -> None:
    half = face.eye_size
    openness = float(np.clip((1 + 0.55 * expression.lids) * (1 - blink), 0.03, 1.7))
    centre_x, centre_y = side * face.eye_distance, -0.1
    u = np.linspace(-1, 1, 15)  # -1 is the inner corner
    x = centre_x + side * half * u
    tilt = 0.035 * (expression.brow_inner - expression.brow_outer) * -u
    arc = np.sqrt(np.clip(1 - u**2, 0, 1))
    upper = centre_y - 0.62 * half * openness * arc - tilt
    lower = centre_y + half * (0.45 * min(openness, 1.2) - 0.34 * np.clip(expression.cheeks, 0, 1)) * arc - tilt
    lower = np.maximum(lower, upper + 0.01)
    sketch.fill(_band(x, upper, lower), (240, 238, 234))
    if openness > 0.12:
        radius = 0.52 * half
        sketch.fill(_ellipse(centre_x, centre_y - 0.01, radius, radius, 20), face.iris)
        sketch.fill(_ellipse(centre_x, centre_y - 0.01, 0.5 * radius, 0.5 * radius, 14), (16, 12, 12))
        sketch.fill(_ellipse(centre_x - 0.03, centre_y - 0.045, 0.022, 0.022, 10), (255, 255, 255))
    lid = _shaded(face.skin, 0.93)
    wide = centre_x + side * 1.06 * half * u
    sketch.fill(_band(wide, upper, centre_y - 1.02 * half * arc - 0.02 - tilt), lid)
    under = _band(wide, lower, centre_y + 0.95 * half * arc + 0.01 - tilt)
    sketch.fill(under, _shaded(face.skin, 0.98))
    sketch.stroke(_curve(x, upper), _shaded(face.hair, 0.45), 0.035)
    sketch.stroke(_curve(x, lower), _shaded(face.skin, 0.62), 0.015)


def _draw_brow(sketch: _Sketch, face: FaceIdentity, expression: Expression, side: int) -> None:
    u = np.linspace(0, 1, 10)  # from the nose outwards
    inner, outer = expression.brow_inner, expression.brow_outer
    x = face.eye_distance - 0.19 - 0.045 * np.clip(expression.brow_squeeze, -1, 1) * (1 - u) + 0.38 * u
    rise = 0.12 * inner * (1 - u) ** 1.3 + 0.1 * outer * u + 0.05 * np.sin(np.pi * np.minimum(1.0, 0.25 + 0.75 * u))
    y = -0.1 - face.brow_height + 0.05 - rise
    half = face.brow_thickness * (1 - 0.65 * u**2) * 0.75
    outline = _band(side * x, y - half, y + half)
    sketch.fill(outline, _shaded(face.hair, 0.7) if face.hair_style != 'bald' else _shaded(face.hair, 0.8), 0.62)


def _draw_nose(sketch: _Sketch, face: FaceIdentity, expression: Expression) -> None:
    tip = face.nose_length - 0.04 * np.clip(expression.nose_wrinkle, 0, 1)
    dark = _shaded(face.skin, 0.68)
    width = face.nose_width * (1 + 0.2 * np.clip(expression.nose_wrinkle, 0, 1))
    bridge = np.array([[0.045, -0.05], [0.06, 0.5 * tip], [width, tip]])
    sketch.stroke(bridge, _shaded(face.skin, 0.84), 0.03, 0.75)
    u = np.linspace(-1, 1, 9)
    sketch.stroke(_curve(width * u, tip + 0.035 * np.cos(np.pi * u)), dark, 0.03, 0.8)
    sketch.fill(_ellipse(0, tip - 0.07, 0.05, 0.05, 12), _shaded(face.skin, 1.1), 0.8)
    if expression.nose_wrinkle > 0.3:
        for row in (0.0, 0.06):
            line = _curve(0.07 * u, row - 0.03 * u**2)
            sketch.stroke(line, _mixed(face.skin, dark, 0.7 * min(expression.nose_wrinkle, 1.0)), 0.02, 0.7)


def _draw_mouth(sketch: _Sketch, face: FaceIdentity, expression: Expression, mouth_open: float) -> None:
    u = np.linspace(-1, 1, 21)
    arc = 1 - u**2
    opening = float(np.clip(0.12 * expression.jaw + 0.3 * mouth_open, 0, 0.42))
    half = face.mouth_width * (1 + 0.3 * expression.stretch - 0.35 * opening)
    x = half * u
    middle = 0.54 - 0.16 * expression.smile * (u**2 - 0.4)
    raised = 0.07 * np.clip(expression.lip_raise, 0, 1.2)
    upper = middle - (0.25 * opening + raised) * arc**0.8
    lower = middle + (0.75 * opening + 0.35 * raised) * arc**0.65
    lips = _mixed(_shaded(face.skin, 0.8), (186, 60, 66), face.lip_redness)
    thick = face.lip_thickness
    bow = 1 - 0.35 * np.exp(-((u / 0.22) ** 2))
    top = upper - 1.0 * thick * bow * arc**0.6
    bottom = lower + 1.25 * thick * arc**0.5
    if face.beard > 0.5:
        moustache = _band(1.1 * x, top - 0.09 * arc**0.3, top + 0.02)
        sketch.fill(moustache, _mixed(_shaded(face.skin, 0.9), face.hair, face.beard))
    sketch.fill(_band(x, top, bottom), lips)
    gap = lower - upper
    if gap.max() > 0.03:
        sketch.fill(_band(x, upper, lower), (62, 18, 22))
        teeth = upper + np.minimum(0.6 * gap, 0.09) * np.clip(0.5 + 0.6 * expression.lip_raise, 0, 1.1)
        sketch.fill(_band(x, upper, teeth)[1:-1], (238, 234, 224))
        if opening > 0.16:
            tongue = (lower - 0.3 * gap * arc)[4:17]
            sketch.fill(_band(x[4:17], tongue, lower[4:17]), (186, 88, 88))
    else:
        sketch.stroke(_curve(x, 0.5 * (upper + lower)), _shaded(lips, 0.45), 0.025)
    sketch.stroke(_curve(0.45 * x, bottom.max() + 0.05 - 0.02 * u**2), _shaded(face.skin, 0.86), 0.03)


def _draw_glasses(sketch: _Sketch, face: FaceIdentity) -> None:
    frame = (38, 34, 40)
    for side in (-1, 1):
        sketch.stroke(_ellipse(side * face.eye_distance, -0.08, 0.235, 0.2), frame, 0.028, 0.66, is_closed=True)
        arm = np.array([[side * (face.eye_distance + 0.235), -0.1], [side * face.head_width, -0.08]])
        sketch.stroke(arm, frame, 0.028, 0.4)
    inner = face.eye_distance - 0.235
    sketch.stroke(np.array([[-inner, -0.1], [0, -0.13], [inner, -0.1]]), frame, 0.028, 0.66)
