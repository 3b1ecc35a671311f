"""Frames with a pending warp, which can be joined with the crop that follows, so that pixels are sampled once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

Frames = list[np.ndarray]


@dataclass(frozen=True)
class Warp:
    """Describes an affine map of pixels.

    Attributes:
        matrix: Map ``(2, 3)`` from output to input coordinates. Pixel centres lie at integers.
        fill: Colour of pixels outside of the input.
        interpolation: OpenCV's constant of the interpolation.
    """

    matrix: np.ndarray
    fill: tuple[int, ...]
    interpolation: int

    def apply(self, frames: Frames, height: int, width: int) -> Frames:
        """Warps frames, each to ``(height, width, 3)``."""
        flags = self.interpolation | cv2.WARP_INVERSE_MAP
        return [
            cv2.warpAffine(frame, self.matrix, (width, height), flags=flags, borderValue=self.fill) for frame in frames
        ]

    def after(self, matrix: np.ndarray, interpolation: int) -> Warp:
        """Joins this warp with a second map that follows it.

        Args:
            matrix: Map ``(2, 3)`` from the final output coordinates to the output coordinates of this warp.
            interpolation: OpenCV's constant for the joint warp.
        """
        whole = self.matrix @ np.vstack([matrix, [0.0, 0.0, 1.0]])
        return replace(self, matrix=whole, interpolation=interpolation)


@dataclass(frozen=True)
class WarpedClip:
    """Holds the frames of a clip, and a warp that is not applied yet.

    Attributes:
        frames: Frames ``(H, W, 3)`` uint8.
        warp: The pending warp; None if there is none.
    """

    frames: Frames
    warp: Warp | None = None

    @classmethod
    def warped(cls, frames: Frames, matrix: np.ndarray, fill: tuple[int, ...], interpolation: int) -> WarpedClip:
        """Makes a clip with a pending warp; see :class:`Warp`."""
        return cls(frames, Warp(matrix, tuple(fill), interpolation))

    def apply_warp(self) -> Frames:
        """Returns the frames after the pending warp."""
        if self.warp is None:
            return self.frames
        return self.warp.apply(self.frames, *self.frames[0].shape[:2])

    def recolour(self, table: np.ndarray) -> WarpedClip:
        """Replaces every value by its entry in a table, also the values of the fill colour.

        Args:
            table: ``(1, 256, 3)`` uint8.
        """
        frames = [cv2.LUT(frame, table) for frame in self.frames]
        if self.warp is None:
            return WarpedClip(frames)
        fill = tuple(int(table[0, value, channel]) for channel, value in enumerate(self.warp.fill))
        return WarpedClip(frames, replace(self.warp, fill=fill))
