"""Random crop, resize and flip of a clip in one step."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.transforms.warp import Frames, Warp
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class RandomResizedCropFlip(BaseTransform):
    """Crops a random box, resizes it to a square, and flips it at random. All frames of a clip get the same box.

    The box is drawn as in MMAction2's ``RandomResizedCrop``. If ``ClipRandAugment(is_fused=True)`` left a warp, this
    transform joins both: it samples every output pixel once, bilinearly, from the decoded frame. This takes less time
    and blurs less than two separate steps.

    Required keys: ``imgs``, ``img_shape``. Without ``imgs`` (no video stream) nothing happens. Removed key:
    ``pending_warp``. Changed keys: ``imgs``, ``img_shape``.

    Args:
        size: Height and width of the result (pixels).
        area_range: Smallest and largest area of the box, as a share of the frame.
        aspect_ratio_range: Smallest and largest ratio of width to height of the box.
        flip_ratio: Probability of a horizontal flip.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        size: int,
        area_range: tuple[float, float] = (0.08, 1.0),
        aspect_ratio_range: tuple[float, float] = (3 / 4, 4 / 3),
        flip_ratio: float = 0.5,
    ) -> None:
        if size < 1:
            raise ValueError(f'size must be at least 1, got {size}')
        if not 0 < area_range[0] <= area_range[1] <= 1:
            raise ValueError(f'area_range must be two numbers in 0..1, the smaller first, got {tuple(area_range)}')
        if not 0 < aspect_ratio_range[0] <= aspect_ratio_range[1]:
            raise ValueError(f'aspect_ratio_range must be two numbers above 0, got {tuple(aspect_ratio_range)}')
        if not 0 <= flip_ratio <= 1:
            raise ValueError(f'flip_ratio must lie in 0..1, got {flip_ratio}')
        from mmaction.datasets.transforms import RandomResizedCrop  # takes a second

        self._draw_box = RandomResizedCrop.get_crop_bbox
        self.size = size
        self.area_range = tuple(area_range)
        self.aspect_ratio_range = tuple(aspect_ratio_range)
        self.flip_ratio = flip_ratio

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crops, resizes and flips the frames."""
        if 'imgs' not in results:
            return results
        shape = results['imgs'][0].shape[:2]
        box = self._draw_box(shape, self.area_range, self.aspect_ratio_range)
        is_flipped = bool(np.random.rand() < self.flip_ratio)
        warp: Warp | None = results.pop('pending_warp', None)
        if warp is None:
            results['imgs'] = self._cut(results['imgs'], box, is_flipped)
        else:
            fused = warp.after(self._box_matrix(box, is_flipped), cv2.INTER_LINEAR)
            results['imgs'] = fused.apply(results['imgs'], self.size, self.size)
        results['img_shape'] = (self.size, self.size)
        return results

    def _cut(self, frames: Frames, box: tuple[int, int, int, int], is_flipped: bool) -> Frames:
        left, top, right, bottom = box
        resized = [cv2.resize(frame[top:bottom, left:right], (self.size, self.size)) for frame in frames]
        return [cv2.flip(frame, 1) for frame in resized] if is_flipped else resized

    def _box_matrix(self, box: tuple[int, int, int, int], is_flipped: bool) -> np.ndarray:
        """Returns the map ``(2, 3)`` from coordinates of the result to coordinates of the frame.

        Pixel centres lie at integers. The map samples the same points as ``cv2.resize``.
        """
        left, top, right, bottom = box
        across, down = (right - left) / self.size, (bottom - top) / self.size
        first_column = left + 0.5 * across - 0.5
        if is_flipped:
            first_column += across * (self.size - 1)
        return np.array([[-across if is_flipped else across, 0, first_column], [0, down, top + 0.5 * down - 0.5]])
