"""Boxes of faces. A box is ``(x, y, width, height)`` in pixels, the corner at its top left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Faces:
    """Stores the faces of one frame.

    Attributes:
        boxes: ``(n, 4)`` float; n may be 0.
        landmarks: ``(n, 5, 2)`` float, x and y of right eye, left eye, nose tip, right and left corner of the mouth
            (the person's right, which is left in the picture); None from detectors without landmarks.
    """

    boxes: np.ndarray
    landmarks: np.ndarray | None = None


NO_FACES = Faces(np.zeros((0, 4)))


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Computes the intersection over union, ``(...)`` in 0..1, of boxes ``(..., 4)`` that broadcast."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    union = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - common
    overlaps: np.ndarray = np.divide(common, union, out=np.zeros_like(common), where=union > 0)
    return overlaps
