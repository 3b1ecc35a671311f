"""A decoded picture as a player displays it: RGB, square pixels, upright, one size throughout a video."""

from __future__ import annotations

import struct
from fractions import Fraction
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type
from av.video.reformatter import VideoReformatter
from PIL import Image

_PIXEL_SHAPES = (Fraction(1, 8), Fraction(8))  # width by height; others are damage
# threads do not survive a fork, and data loaders fork; PyAV before 18 has no such option, and uses one
_ONE_THREAD = {'threads': 1} if 'threads' in (VideoReformatter.reformat.__doc__ or '') else {}


class DisplayConverter:
    """Converts the pictures of one video.

    Args:
        stored_size: Width and height that pictures are stored in; others are scaled to it.
        pixel_shape: Width of a pixel by its height; None: square.
    """

    def __init__(self, stored_size: tuple[int, int], pixel_shape: Fraction | None) -> None:
        self._reformatter = VideoReformatter()  # made once: making it takes ten times as long as using it
        width, height = stored_size
        low, high = _PIXEL_SHAPES
        if pixel_shape and low <= pixel_shape <= high:
            width = max(round(width * pixel_shape), 1)
        self._width, self._height = width, height

    def to_rgb(self, frame: Any) -> np.ndarray:
        """A picture ``(H, W, 3)`` uint8 RGB."""
        # first the colours, then the size: FFmpeg rounds colours otherwise when it does both in one step
        converted = self._reformatter.reformat(frame, format='rgb24', interpolation='BICUBIC', **_ONE_THREAD)
        picture: np.ndarray = converted.to_ndarray()  # (H, W, 3)
        if picture.shape[:2] != (self._height, self._width):
            # not OpenCV: its threads do not survive a fork, and data loaders fork
            size = self._width, self._height
            picture = np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
        matrix = frame.side_data.get(Type.DISPLAYMATRIX)
        return picture if matrix is None else turned(picture, struct.unpack('<9i', bytes(matrix)[:36]))


def turned(picture: np.ndarray, matrix: tuple[int, ...]) -> np.ndarray:
    """Turns and mirrors a picture ``(H, W, 3)`` as a display matrix says (ISO/IEC 14496-12, 8.3.2).

    Quarter turns and mirrors are done; angles between them are rounded to the nearest.

    Args:
        picture: As it is stored.
        matrix: Nine numbers; the point (x, y) is displayed at (a x + c y, b x + d y) of a, b, _, c, d, ...
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if abs(b) + abs(c) > abs(a) + abs(d):
        picture = picture.transpose(1, 0, 2)  # (H, W, 3) -> (W, H, 3): rows are the stored columns
        turns_over, mirrors = b < 0, c < 0
    else:
        turns_over, mirrors = d < 0, a < 0
    return np.ascontiguousarray(picture[:: -1 if turns_over else 1, :: -1 if mirrors else 1])
