"""Faces to be drawn: who is drawn (identity), what the face does (expression) and where the head is (pose)."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np

Colour = tuple[float, float, float]

_SKIN = ((244, 206, 180), (236, 194, 160), (224, 172, 125), (190, 132, 88), (141, 88, 56), (98, 62, 42))
_HAIR = ((28, 22, 20), (66, 42, 28), (110, 72, 40), (178, 128, 66), (206, 178, 120), (128, 68, 42), (168, 168, 170))
_IRIS = ((72, 46, 28), (96, 70, 36), (70, 104, 72), (62, 98, 142), (92, 104, 112))
_CLOTH = ((62, 72, 98), (104, 58, 60), (58, 84, 76), (186, 180, 166), (70, 70, 74), (98, 84, 104), (170, 146, 118))
HAIR_STYLES = ('short', 'long', 'bun', 'curly', 'parted', 'bald')


@dataclass(frozen=True)
class FaceIdentity:
    """Describes what stays from clip to clip of an actor. Lengths are in head half-heights, colours RGB 0..255."""

    skin: Colour
    hair: Colour
    iris: Colour
    cloth: Colour
    lip_redness: float
    hair_style: str
    head_width: float
    jaw_width: float
    eye_distance: float
    eye_size: float
    brow_thickness: float
    brow_height: float
    nose_length: float
    nose_width: float
    mouth_width: float
    lip_thickness: float
    has_glasses: bool
    beard: float


@dataclass(frozen=True)
class Expression:
    """Describes facial actions, each 0 at rest and about -1..1 at full strength, and how the head moves.

    ``brow_inner``, ``brow_outer``: raised (+) or lowered (-); ``brow_squeeze``: drawn together; ``lids``: eyes widened
    (+) or narrowed (-); ``cheeks``: raised, which bends the lower lids; ``nose_wrinkle``; ``smile``: corners of the
    mouth up (+) or down (-); ``stretch``: mouth wide (+) or narrow (-); ``lip_raise``: upper lip off the
    teeth (+) or over them (-);
    ``jaw``: open at rest; ``droop``: head lowered; ``nod``, ``shake``, ``sway``, ``tremble``: how the head moves.
    """

    brow_inner: float = 0.0
    brow_outer: float = 0.0
    brow_squeeze: float = 0.0
    lids: float = 0.0
    cheeks: float = 0.0
    nose_wrinkle: float = 0.0
    smile: float = 0.0
    stretch: float = 0.0
    lip_raise: float = 0.0
    jaw: float = 0.0
    droop: float = 0.0
    nod: float = 0.0
    shake: float = 0.0
    sway: float = 0.0
    tremble: float = 0.0

    def scaled(self, intensity: float) -> Expression:
        """Returns the same expression, weaker or stronger."""
        return replace(self, **{field.name: getattr(self, field.name) * intensity for field in fields(self)})

    def varied(self, rng: np.random.Generator, spread: float) -> Expression:
        """Adds a normal variate of standard deviation ``spread`` to every action: nobody frowns twice alike."""
        return replace(
            self, **{field.name: getattr(self, field.name) + spread * rng.standard_normal() for field in fields(self)}
        )


EXPRESSIONS = {
    'scowl': Expression(
        brow_inner=-1.0, brow_outer=0.25, brow_squeeze=1.0, lids=-0.55, nose_wrinkle=1.0, smile=-0.45, stretch=0.1,
        lip_raise=0.9, shake=0.8,
    ),
    'distress': Expression(
        brow_inner=1.0, brow_outer=-0.7, brow_squeeze=0.3, lids=0.5, smile=-0.9, stretch=-0.15, lip_raise=-0.9, jaw=0.4,
        droop=0.7, sway=0.7, tremble=0.6,
    ),
    'smile': Expression(
        brow_inner=0.2, brow_outer=0.35, brow_squeeze=-0.4, lids=-0.1, cheeks=0.9, smile=1.0, stretch=0.5,
        lip_raise=0.4, nod=0.8,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class HeadPose:
    """States where the head is in the picture. Turns are in radians, ``x``, ``y`` and ``scale`` in picture sizes."""

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    scale: float


def sample_face(rng: np.random.Generator) -> FaceIdentity:
    """Draws an actor's looks."""
    skin_index = int(rng.integers(len(_SKIN)))
    hair_index = int(rng.integers(len(_HAIR) if skin_index < 4 else 3))
    return FaceIdentity(
        skin=_jittered(_SKIN[skin_index], 8, rng),
        hair=_jittered(_HAIR[hair_index], 8, rng),
        iris=_jittered(_IRIS[int(rng.integers(len(_IRIS) if skin_index < 4 else 2))], 8, rng),
        cloth=_jittered(_CLOTH[int(rng.integers(len(_CLOTH)))], 12, rng),
        lip_redness=rng.uniform(0.35, 0.9),
        hair_style=HAIR_STYLES[int(rng.integers(len(HAIR_STYLES)))],
        head_width=rng.uniform(0.70, 0.84),
        jaw_width=rng.uniform(0.62, 0.95),
        eye_distance=rng.uniform(0.29, 0.36),
        eye_size=rng.uniform(0.135, 0.175),
        brow_thickness=rng.uniform(0.035, 0.07),
        brow_height=rng.uniform(0.27, 0.33),
        nose_length=rng.uniform(0.24, 0.34),
        nose_width=rng.uniform(0.09, 0.14),
        mouth_width=rng.uniform(0.24, 0.31),
        lip_thickness=rng.uniform(0.04, 0.08),
        has_glasses=bool(rng.random() < 0.2),
        beard=float(rng.choice([0.0, 0.0, 0.0, 0.35, 0.8])),
    )


def _jittered(colour: Colour, spread: float, rng: np.random.Generator) -> Colour:
    shift = rng.standard_normal()  # mostly lighter or darker, a little another hue
    red, green, blue = (
        float(np.clip(part + spread * (shift + 0.3 * rng.standard_normal()), 0, 255)) for part in colour
    )
    return red, green, blue
