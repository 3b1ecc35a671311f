"""Frames with a warp that has not been carried out yet, so that it can be joined with the crop that follows."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

Frames = list[np.ndarray]


@dataclass(frozen=True)
class Warp:
    """An affine map of pixels.

    Attributes:
        matrix: ``(2, 3)``, from output to input coordinates, pixel centres at integers.
        fill: Colour of what lies outside the input.
        interpolation: OpenCV's constant.
    """

    matrix: np.ndarray
    fill: tuple[int, ...]
    interpolation: int

    def apply(self, frames: Frames, height: int, width: int) -> Frames:
        """Samples frames of a size."""
        flags = self.interpolation | cv2.WARP_INVERSE_MAP
        return [
            cv2.warpAffine(frame, self.matrix, (width, height), flags=flags, borderValue=self.fill) for frame in frames
        ]

    def after(self, matrix: np.ndarray, interpolation: int) -> Warp:
        """This warp seen through another map ``(2, 3)``, from its output coordinates to this warp's."""
        whole = self.matrix @ np.vstack([matrix, [0.0, 0.0, 1.0]])
        return replace(self, matrix=whole, interpolation=interpolation)


@dataclass(frozen=True)
class WarpedClip:
    """A clip on its way through an augmentation.

    Attributes:
        frames: ``(H, W, 3)`` uint8 each.
        warp: What is still to be done to them; None: nothing.
    """

    frames: Frames
    warp: Warp | None = None

    @classmethod
    def warped(cls, frames: Frames, matrix: np.ndarray, fill: tuple[int, ...], interpolation: int) -> WarpedClip:
        """Frames that are yet to be warped."""
        return cls(frames, Warp(matrix, tuple(fill), interpolation))

    def apply_warp(self) -> Frames:
        """The frames, warped."""
        if self.warp is None:
            return self.frames
        return self.warp.apply(self.frames, *self.frames[0].shape[:2])

    def recolour(self, table: np.ndarray) -> WarpedClip:
        """Looks every value up in ``table`` (1, 256, 3) uint8, also the colour of what will come from outside."""
        frames = [cv2.LUT(frame, table) for frame in self.frames]
        if self.warp is None:
            return WarpedClip(frames)
        fill = tuple(int(table[0, value, channel]) for channel, value in enumerate(self.warp.fill))
        return WarpedClip(frames, replace(self.warp, fill=fill))
