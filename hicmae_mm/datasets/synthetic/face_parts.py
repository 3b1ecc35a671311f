"""Draws the parts of a face in head units: head, hair, eyes, brows, nose, mouth and glasses."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from hicmae_mm.datasets.synthetic.faces import Expression, FaceIdentity
from hicmae_mm.datasets.synthetic.sketch import Sketch, band, curve, ellipse, mixed, shaded, unit_circle


@lru_cache(maxsize=64)
def _head_outline(face: FaceIdentity) -> np.ndarray:
    x, y = unit_circle(48).T
    x = np.sign(x) * np.abs(x) ** 0.85
    taper = 1 - 0.7 * (1 - face.jaw_width) * np.clip(y, 0, 1) ** 1.5
    return curve(face.head_width * x * taper, y)


def draw_body(sketch: Sketch, face: FaceIdentity) -> None:
    """Draws what lies behind the head: long hair, a bun or curls, neck, shoulders and ears."""
    if face.hair_style == 'long':
        sketch.fill(ellipse(0, 0.15, face.head_width * 1.28, 1.25), shaded(face.hair, 0.8), 0.0)
    if face.hair_style == 'bun':
        sketch.fill(ellipse(0, -1.12, 0.3, 0.26), shaded(face.hair, 0.85), -0.2)
    if face.hair_style == 'curly':
        for angle in np.linspace(np.pi * 0.9, np.pi * 2.1, 11):
            centre = 0.95 * np.array([face.head_width * 1.1 * np.cos(angle), np.sin(angle)])
            sketch.fill(ellipse(centre[0], centre[1], 0.3, 0.3, 16), shaded(face.hair, 0.85), 0.0)
    neck = curve(np.array([-0.36, 0.36, 0.4, -0.4]), np.array([0.5, 0.5, 1.6, 1.6]))
    sketch.fill(neck, shaded(face.skin, 0.74), -0.15)
    shoulders = curve(
        np.array([-0.42, -0.2, 0.2, 0.42, 0.95, 1.3, 1.45, -1.45, -1.3, -0.95]),
        np.array([1.08, 1.26, 1.26, 1.08, 1.2, 1.4, 3, 3, 1.4, 1.2]),
    )
    sketch.fill(shoulders, face.cloth, -0.1)
    for side in (-1, 1):
        sketch.fill(ellipse(side * face.head_width * 1.0, 0.02, 0.11, 0.2, 16), shaded(face.skin, 0.86), -0.25)


def draw_head(sketch: Sketch, face: FaceIdentity) -> None:
    """Draws the shaded head, the beard and the colour of the cheeks."""
    outline = _head_outline(face)
    for step in np.linspace(0, 1, 5):
        sketch.fill(outline * (1 - 0.42 * step), shaded(face.skin, 0.86 + 0.16 * step), 0.5 * step)
    if face.beard > 0:
        angle = np.linspace(0.02 * np.pi, 0.98 * np.pi, 24)
        outer = 0.99 * _head_outline(face)[1:24]
        inner = curve(0.62 * face.head_width * np.cos(angle[::-1]), 0.36 + 0.34 * np.sin(angle[::-1]))
        colour = mixed(shaded(face.skin, 0.9), face.hair, face.beard)
        sketch.fill(np.concatenate([outer, inner]), colour, 0.15)
    for side in (-1, 1):  # a little colour on the cheeks
        cheek = mixed(shaded(face.skin, 1.0), (226, 96, 84), 0.12)
        sketch.fill(ellipse(side * 0.40, 0.27, 0.15, 0.11, 18), cheek)


def draw_hair_front(sketch: Sketch, face: FaceIdentity) -> None:
    """Draws the hair above the forehead."""
    if face.hair_style == 'bald':
        return
    hairline = {'short': -0.62, 'long': -0.6, 'bun': -0.7, 'curly': -0.58, 'parted': -0.66}[face.hair_style]
    angle = np.linspace(np.pi * 1.03, np.pi * 1.97, 24)
    top = curve(1.06 * face.head_width * np.cos(angle), 1.08 * np.sin(angle))
    u = np.linspace(1, -1, 16)
    if face.hair_style == 'parted':
        fringe = hairline + 0.42 * np.abs(u - 0.35) ** 1.4
    elif face.hair_style == 'short':
        fringe = hairline + 0.30 * u**4 + 0.03 * np.cos(9 * u)
    else:
        fringe = hairline + 0.40 * u**2
    sketch.fill(np.concatenate([top, curve(0.97 * face.head_width * u, np.minimum(fringe, -0.1))]), face.hair, 0.12)
    shine = curve(0.55 * face.head_width * np.linspace(-1, 0.1, 8), -0.88 + 0.1 * np.linspace(-1, 0.1, 8) ** 2)
    sketch.stroke(shine, mixed(face.hair, (255, 255, 255), 0.18), 0.05, 0.12)


def draw_lines(sketch: Sketch, face: FaceIdentity, expression: Expression) -> None:
    """Draws the folds that come with an expression: on the forehead, between the brows and beside the nose."""
    skin = shaded(face.skin, 1.0)
    dark = shaded(face.skin, 0.6)
    worry = np.clip(expression.brow_inner, 0, 1)
    if worry > 0.3:
        u = np.linspace(-1, 1, 9)
        for row in (-0.48, -0.56):
            sketch.stroke(curve(0.26 * u, row + 0.03 * u**2), mixed(skin, dark, 0.55 * worry), 0.02)
    frown = np.clip(min(expression.brow_squeeze, -expression.brow_inner), 0, 1)
    if frown > 0.3:
        for side in (-1, 1):
            line = np.array([[side * 0.05, -0.34], [side * 0.035, -0.2]])
            sketch.stroke(line, mixed(skin, dark, 0.8 * frown), 0.025)
    fold = np.clip(max(expression.smile, expression.nose_wrinkle), 0, 1)
    if fold > 0.3:
        t = np.linspace(0, 1, 8)
        for side in (-1, 1):
            line = curve(side * (0.15 + 0.2 * t + 0.05 * np.sin(np.pi * t)), 0.22 + 0.26 * t)
            sketch.stroke(line, mixed(skin, dark, 0.5 * fold), 0.025)


def draw_eye(sketch: Sketch, face: FaceIdentity, expression: Expression, side: int, blink: float) -> None:
    """Draws one eye; ``side`` is -1 for the left of the picture, and 1 for the right."""
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
    sketch.fill(band(x, upper, lower), (240, 238, 234))
    if openness > 0.12:
        radius = 0.52 * half
        sketch.fill(ellipse(centre_x, centre_y - 0.01, radius, radius, 20), face.iris)
        sketch.fill(ellipse(centre_x, centre_y - 0.01, 0.5 * radius, 0.5 * radius, 14), (16, 12, 12))
        sketch.fill(ellipse(centre_x - 0.03, centre_y - 0.045, 0.022, 0.022, 10), (255, 255, 255))
    lid = shaded(face.skin, 0.93)
    wide = centre_x + side * 1.06 * half * u
    sketch.fill(band(wide, upper, centre_y - 1.02 * half * arc - 0.02 - tilt), lid)
    under = band(wide, lower, centre_y + 0.95 * half * arc + 0.01 - tilt)
    sketch.fill(under, shaded(face.skin, 0.98))
    sketch.stroke(curve(x, upper), shaded(face.hair, 0.45), 0.035)
    sketch.stroke(curve(x, lower), shaded(face.skin, 0.62), 0.015)


def draw_brow(sketch: Sketch, face: FaceIdentity, expression: Expression, side: int) -> None:
    """Draws one brow; ``side`` is -1 for the left of the picture, and 1 for the right."""
    u = np.linspace(0, 1, 10)  # from the nose outwards
    inner, outer = expression.brow_inner, expression.brow_outer
    x = face.eye_distance - 0.19 - 0.045 * np.clip(expression.brow_squeeze, -1, 1) * (1 - u) + 0.38 * u
    rise = 0.12 * inner * (1 - u) ** 1.3 + 0.1 * outer * u + 0.05 * np.sin(np.pi * np.minimum(1.0, 0.25 + 0.75 * u))
    y = -0.1 - face.brow_height + 0.05 - rise
    half = face.brow_thickness * (1 - 0.65 * u**2) * 0.75
    outline = band(side * x, y - half, y + half)
    sketch.fill(outline, shaded(face.hair, 0.7) if face.hair_style != 'bald' else shaded(face.hair, 0.8), 0.62)


def draw_nose(sketch: Sketch, face: FaceIdentity, expression: Expression) -> None:
    """Draws the nose and its wrinkles."""
    tip = face.nose_length - 0.04 * np.clip(expression.nose_wrinkle, 0, 1)
    dark = shaded(face.skin, 0.68)
    width = face.nose_width * (1 + 0.2 * np.clip(expression.nose_wrinkle, 0, 1))
    bridge = np.array([[0.045, -0.05], [0.06, 0.5 * tip], [width, tip]])
    sketch.stroke(bridge, shaded(face.skin, 0.84), 0.03, 0.75)
    u = np.linspace(-1, 1, 9)
    sketch.stroke(curve(width * u, tip + 0.035 * np.cos(np.pi * u)), dark, 0.03, 0.8)
    sketch.fill(ellipse(0, tip - 0.07, 0.05, 0.05, 12), shaded(face.skin, 1.1), 0.8)
    if expression.nose_wrinkle > 0.3:
        for row in (0.0, 0.06):
            line = curve(0.07 * u, row - 0.03 * u**2)
            sketch.stroke(line, mixed(face.skin, dark, 0.7 * min(expression.nose_wrinkle, 1.0)), 0.02, 0.7)


def draw_mouth(sketch: Sketch, face: FaceIdentity, expression: Expression, mouth_open: float) -> None:
    """Draws lips, teeth and tongue; speech opens the mouth by ``mouth_open``, 0..1."""
    u = np.linspace(-1, 1, 21)
    arc = 1 - u**2
    opening = float(np.clip(0.12 * expression.jaw + 0.3 * mouth_open, 0, 0.42))
    half = face.mouth_width * (1 + 0.3 * expression.stretch - 0.35 * opening)
    x = half * u
    middle = 0.54 - 0.16 * expression.smile * (u**2 - 0.4)
    raised = 0.07 * np.clip(expression.lip_raise, 0, 1.2)
    upper = middle - (0.25 * opening + raised) * arc**0.8
    lower = middle + (0.75 * opening + 0.35 * raised) * arc**0.65
    lips = mixed(shaded(face.skin, 0.8), (186, 60, 66), face.lip_redness)
    thick = face.lip_thickness
    bow = 1 - 0.35 * np.exp(-((u / 0.22) ** 2))
    top = upper - 1.0 * thick * bow * arc**0.6
    bottom = lower + 1.25 * thick * arc**0.5
    if face.beard > 0.5:
        moustache = band(1.1 * x, top - 0.09 * arc**0.3, top + 0.02)
        sketch.fill(moustache, mixed(shaded(face.skin, 0.9), face.hair, face.beard))
    sketch.fill(band(x, top, bottom), lips)
    gap = lower - upper
    if gap.max() > 0.03:
        sketch.fill(band(x, upper, lower), (62, 18, 22))
        teeth = upper + np.minimum(0.6 * gap, 0.09) * np.clip(0.5 + 0.6 * expression.lip_raise, 0, 1.1)
        sketch.fill(band(x, upper, teeth)[1:-1], (238, 234, 224))
        if opening > 0.16:
            tongue = (lower - 0.3 * gap * arc)[4:17]
            sketch.fill(band(x[4:17], tongue, lower[4:17]), (186, 88, 88))
    else:
        sketch.stroke(curve(x, 0.5 * (upper + lower)), shaded(lips, 0.45), 0.025)
    sketch.stroke(curve(0.45 * x, bottom.max() + 0.05 - 0.02 * u**2), shaded(face.skin, 0.86), 0.03)


def draw_glasses(sketch: Sketch, face: FaceIdentity) -> None:
    """Draws the frame of the glasses."""
    frame = (38, 34, 40)
    for side in (-1, 1):
        sketch.stroke(ellipse(side * face.eye_distance, -0.08, 0.235, 0.2), frame, 0.028, 0.66, is_closed=True)
        arm = np.array([[side * (face.eye_distance + 0.235), -0.1], [side * face.head_width, -0.08]])
        sketch.stroke(arm, frame, 0.028, 0.4)
    inner = face.eye_distance - 0.235
    sketch.stroke(np.array([[-inner, -0.1], [0, -0.13], [inner, -0.1]]), frame, 0.028, 0.66)
