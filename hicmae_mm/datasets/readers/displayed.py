"""Converts decoded pictures to the form in which a player shows them: RGB, square pixels, upright, of one size."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from PIL import Image

_PIXEL_SHAPES = (Fraction(1, 8), Fraction(8))  # width by height; other values mean that the header is damaged
# threads do not survive a fork, and data loaders fork; PyAV before 18 lacks the option, and uses one thread
_ONE_THREAD = {'threads': 1} if 'threads' in (VideoReformatter.reformat.__doc__ or '') else {}


class DisplayConverter:
    """Converts the pictures of one video.

    Args:
        stored_size: Width and height of the stored pictures (pixels). Pictures of another size are scaled to it.
        pixel_shape: Width of a pixel divided by its height; None for square pixels.
    """

    def __init__(self, stored_size: tuple[int, int], pixel_shape: Fraction | None) -> None:
        self._reformatter = VideoReformatter()  # made once, because making it takes ten times as long as using it
        width, height = stored_size
        low, high = _PIXEL_SHAPES
        if pixel_shape and low <= pixel_shape <= high:
            width = max(round(width * pixel_shape), 1)
        self._width, self._height = width, height

    def to_rgb(self, frame: Any) -> np.ndarray:
        """Converts a decoded frame of PyAV to ``(H, W, 3)`` uint8 RGB."""
        # colours and size are converted in two steps: FFmpeg rounds colours differently when it does both in one
        converted = self._reformatter.reformat(frame, format='rgb24', interpolation='BICUBIC', **_ONE_THREAD)
        picture: np.ndarray = converted.to_ndarray()  # (H, W, 3)
        if picture.shape[:2] != (self._height, self._width):
            # Pillow and not OpenCV, whose threads do not survive a fork, and data loaders fork
            size = self._width, self._height
            picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
        return picture if matrix is None else turned(picture, struct.unpack('<9i', bytes(matrix)[:36]))


def turned(picture: np.ndarray, matrix: tuple[int, ...]) -> np.ndarray:
    """Rotates and mirrors a picture according to a display matrix (ISO/IEC 14496-12, 8.3.2).

    Only quarter turns and mirrors are supported. Other angles are rounded to the nearest quarter turn.

    Args:
        picture: The stored picture, ``(H, W, 3)``.
        matrix: Nine numbers ``a, b, _, c, d, ...``; the point (x, y) is displayed at (a x + c y, b x + d y).

    Returns:
        ``(H, W, 3)`` or ``(W, H, 3)``.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture = picture.transpose(1, 0, 2)  # (H, W, 3) -> (W, H, 3): rows are the stored columns
        turns_over, mirrors = b < 0, c < 0
    else:
        turns_over, mirrors = d < 0, a < 0
    return np.ascontiguousarray(picture[:: -1 if turns_over else 1, :: -1 if mirrors else 1])
