"""Polygons and lines in head units, and their projection to the pixels of a picture.

In head units the origin is the middle of the head, x points right, y points down, and the head's half-height is 1.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from hicmae_mm.datasets.synthetic.faces import Colour, HeadPose

_SUBPIXEL_BITS = 4


class Shape(NamedTuple):
    """Describes a polygon in head units, or a line if ``width`` is above 0.

    ``depth`` says how much it moves when the head turns; at 0 it stays at the silhouette.
    """

    points: np.ndarray  # (P, 2)
    colour: Colour
    depth: float
    width: float
    is_closed: bool


class Sketch:
    """Collects shapes given in head units."""

    def __init__(self) -> None:
        self.shapes: list[Shape] = []

    def fill(self, points: np.ndarray, colour: Colour, depth: float = 0.6) -> None:
        """Adds a filled polygon with ``(P, 2)`` points."""
        self.shapes.append(Shape(points, colour, depth, 0.0, True))

    def stroke(
        self, points: np.ndarray, colour: Colour, width: float, depth: float = 0.6, is_closed: bool = False
    ) -> None:
        """Adds a line through ``(P, 2)`` points; ``width`` is in head units."""
        self.shapes.append(Shape(points, colour, depth, width, is_closed))


def render(canvas: np.ndarray, shapes: list[Shape], pose: HeadPose) -> None:
    """Turns the head (as if it were a ball) and draws the shapes one over the other.

    All points are transformed at once, because many small calls of NumPy would take most of the time.
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


def curve(x: np.ndarray, y: np.ndarray | float) -> np.ndarray:
    """Returns the ``(P, 2)`` points of a curve."""
    points = np.empty((len(x), 2))
    points[:, 0], points[:, 1] = x, y
    return points


def band(x: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Returns the outline between two curves over the same ``x``."""
    points = np.empty((2 * len(x), 2))
    points[: len(x), 0], points[: len(x), 1] = x, upper
    points[len(x) :, 0], points[len(x) :, 1] = x[::-1], lower[::-1]
    return points


@lru_cache
def unit_circle(count: int) -> np.ndarray:
    """Returns ``(count, 2)`` points on the circle of radius 1."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    return curve(np.cos(angle), np.sin(angle))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, count: int = 28) -> np.ndarray:
    """Returns ``(count, 2)`` points on an ellipse around ``(x, y)``."""
    return unit_circle(count) * (radius_x, radius_y) + (x, y)


def mixed(colour: Colour, other: Colour, share: float) -> Colour:
    """Mixes two colours; ``share`` is the share of the other one."""
    red, green, blue = ((1 - share) * a + share * b for a, b in zip(colour, other, strict=True))
    return red, green, blue


def shaded(colour: Colour, factor: float) -> Colour:
    """Makes a colour darker (``factor`` below 1) or lighter."""
    red, green, blue = (min(255.0, part * factor) for part in colour)
    return red, green, blue
