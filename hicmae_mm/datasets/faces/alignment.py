"""From boxes or landmarks to the transforms that cut the face out, and the cutting.

Transforms are ``(2, 3)`` matrices from the frame to the cut-out, in coordinates in which a picture of width w reaches
from 0 to w: the middle of its first pixel lies at 0.5.
"""

from __future__ import annotations

import cv2
import numpy as np

from hicmae_mm.datasets.errors import MediaError

TEMPLATE = np.array([[0.33, 0.38], [0.67, 0.38], [0.5, 0.575], [0.36, 0.77], [0.64, 0.77]])
"""Where landmarks go, as shares of the cut-out's width and height: right eye, left eye, nose tip, right and left corner
of the mouth. Mean proportions of an adult's face, seen from the front, from above the brows to the chin."""


def box_transforms(boxes: np.ndarray, margin: float, size: int) -> np.ndarray:
    """Transforms of squares around boxes.

    The square has the box's middle and its longer side, plus the margin; nothing is distorted.

    Args:
        boxes: ``(T, 4)``: x, y, width, height (pixels).
        margin: Added on each of the four sides, as a share of the box's longer side.
        size: Size of the crop in pixels.

    Returns:
        ``(T, 2, 3)``.
    """
    side = boxes[:, 2:].max(axis=1) * (1 + 2 * margin)
    corner = boxes[:, :2] + boxes[:, 2:] / 2 - side[:, None] / 2
    scale = size / side
    transforms = np.zeros((len(boxes), 2, 3))
    transforms[:, 0, 0] = transforms[:, 1, 1] = scale
    transforms[:, :, 2] = -corner * scale[:, None]
    return transforms


def landmark_transforms(landmarks: np.ndarray, margin: float, size: int) -> np.ndarray:
    """Returns the similarity transforms (turn, scale, shift) that bring landmarks closest to :data:`TEMPLATE`.

    The least-squares solution in closed form (Umeyama, 1991), with points as complex numbers: the factor a of
    ``w = a z + b`` turns and scales.

    Args:
        landmarks: ``(T, 5, 2)`` (pixels).
        margin: Room around the template on each side, as a share of the template's side.
        size: Size of the crop in pixels.

    Returns:
        ``(T, 2, 3)``.

    Raises:
        MediaError: If the landmarks of a frame coincide.
    """
    template = (TEMPLATE + margin) * size / (1 + 2 * margin)
    source = landmarks[..., 0] + 1j * landmarks[..., 1]  # (T, 5)
    target = template[:, 0] + 1j * template[:, 1]  # (5,)
    middle, target_middle = source.mean(axis=1, keepdims=True), target.mean()
    spread = (np.abs(source - middle) ** 2).sum(axis=1)
    if not spread.all():
        raise MediaError(f'the landmarks of frame {int(np.argmin(spread))} coincide')
    factor = (np.conj(source - middle) * (target - target_middle)).sum(axis=1) / spread  # (T,)
    shift = target_middle - factor * middle[:, 0]
    rows = [[factor.real, -factor.imag, shift.real], [factor.imag, factor.real, shift.imag]]
    return np.moveaxis(np.array(rows), 2, 0)  # (2, 3, T) -> (T, 2, 3)


def cut_out(frame: np.ndarray, transform: np.ndarray, size: int) -> np.ndarray:
    """Cuts one face out; what lies outside of the frame is black.

    Args:
        frame: ``(H, W, 3)`` uint8.
        transform: Affine transform ``(2, 3)``.
        size: Height and width of the cut-out (pixels).

    Returns:
        ``(size, size, 3)`` uint8.
    """
    height, width = frame.shape[:2]
    shrink = int(1 / np.hypot(transform[0, 0], transform[1, 0]))
    if shrink > 1:  # averages first what bilinear interpolation would skip
        reduced = max(1, width // shrink), max(1, height // shrink)
        frame = cv2.resize(frame, reduced, interpolation=cv2.INTER_AREA)
        transform = transform * [width / reduced[0], height / reduced[1], 1]
    # black belongs outside of the frame, and would darken the rim of a cut-out that reaches just to its edge
    border = cv2.BORDER_REPLICATE if _is_inside(transform, size, frame.shape) else cv2.BORDER_CONSTANT
    matrix = transform.copy()
    matrix[:, 2] += transform[:, :2].sum(axis=1) / 2 - 0.5  # OpenCV counts from the middle of the first pixel
    return cv2.warpAffine(frame, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=border)


def _is_inside(transform: np.ndarray, size: int, shape: tuple[int, ...]) -> bool:
    corners = np.array([[0, 0], [0, size], [size, 0], [size, size]], dtype=float)
    places = np.linalg.solve(transform[:, :2], (corners - transform[:, 2]).T)  # (2, 4), x and y in the frame
    limits = np.array([[shape[1]], [shape[0]]])
    return bool(((places > -1e-6) & (places < limits + 1e-6)).all())
