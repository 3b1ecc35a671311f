"""Spatial transforms that MMAction2 lacks: a fixed crop, random erasing and test views.

All of them work on ``imgs``, a list of V*T ``(H, W, 3)`` uint8 arrays. Without this key (no video stream) the crop and
the erasing do nothing. RandAugment is in ``rand_augment.py``.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform

from hicmae_mm.registry import TRANSFORMS

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@TRANSFORMS.register_module()
class FixedCrop(BaseTransform):
    """Crops the same rectangle of every frame.

    Args:
        top: First row.
        left: First column.
        height: Number of rows.
        width: Number of columns.

    Raises:
        ValueError: If the rectangle is empty, or ``top`` or ``left`` is below 0.

    Example:
        >>> import numpy as np
        >>> frames = [np.zeros((8, 10, 3), np.uint8)]
        >>> FixedCrop(top=1, left=2, height=4, width=6)(dict(imgs=frames, img_shape=(8, 10)))['imgs'][0].shape
        (4, 6, 3)
    """

    def __init__(self, top: int, left: int, height: int, width: int) -> None:
        if min(top, left) < 0 or min(height, width) < 1:
            raise ValueError(f'the crop must lie in the frame, got top={top} left={left} height={height} width={width}')
        self.top, self.left, self.height, self.width = top, left, height, width

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crops the frames.

        Raises:
            ValueError: If the rectangle does not lie within the frame.
        """
        if 'imgs' not in results:
            return results
        bottom, right = self.top + self.height, self.left + self.width
        if bottom > results['img_shape'][0] or right > results['img_shape'][1]:
            raise ValueError(
                f'rows {self.top}:{bottom} and columns {self.left}:{right} do not lie within the frame of '
                f'{results["img_shape"][0]}x{results["img_shape"][1]}; resize first, or change FixedCrop'
            )
        results['imgs'] = [img[self.top : bottom, self.left : right] for img in results['imgs']]
        results['img_shape'] = (self.height, self.width)
        return results


@TRANSFORMS.register_module()
class ClipRandomErasing(BaseTransform):
    """Erases at random (Zhong et al., 2020): noise fills the same boxes (by default one) in all frames of a clip.

    The noise has the mean and the standard deviation of frames before normalisation, so that it is N(0, 1) after it.

    Args:
        prob: Probability of erasing.
        mode: Content of a box, with timm's names: ``'pixel'`` draws noise for every pixel, ``'rand'`` draws one colour
            for the box, and ``'const'`` takes the mean colour, which is 0 after normalisation.
        max_count: Largest number of boxes. Each clip draws a number from 1 to ``max_count``; the boxes share the area.
        area_range: Smallest and largest area of all boxes, as a share of the frame.
        aspect_range: Smallest and largest ratio of height to width.
        mean: Mean per colour channel (0..255).
        std: Standard deviation per colour channel.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        prob: float = 0.25,
        mode: str = 'pixel',
        max_count: int = 1,
        area_range: tuple[float, float] = (0.02, 1 / 3),
        aspect_range: tuple[float, float] = (0.3, 1 / 0.3),
        mean: tuple[float, float, float] = IMAGENET_MEAN,
        std: tuple[float, float, float] = IMAGENET_STD,
    ) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie in 0..1, got {prob}')
        if mode not in ('pixel', 'rand', 'const') or max_count < 1:
            raise ValueError(
                f"mode must be 'pixel', 'rand' or 'const', and max_count at least 1, got {mode!r} and {max_count}"
            )
        self.prob = prob
        self.mode = mode
        self.max_count = max_count
        self.area_range = area_range
        self.aspect_range = aspect_range
        self.mean = np.asarray(mean, dtype=np.float32)
        self.std = np.asarray(std, dtype=np.float32)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Erases the boxes."""
        from torchvision.transforms import RandomErasing  # it takes a second to load

        if 'imgs' not in results or np.random.rand() >= self.prob:
            return results
        count = int(np.random.randint(1, self.max_count + 1)) if self.max_count > 1 else 1
        area_range = [share / count for share in self.area_range]
        height, width = results['img_shape']
        canvas = torch.empty((1, height, width), dtype=torch.uint8)
        frames = list(results['imgs'])
        for _ in range(count):
            top, left, rows, columns, _ = RandomErasing.get_params(canvas, area_range, self.aspect_range, [0.0])
            if (rows, columns) == (height, width):  # no box of the drawn shape fits
                continue
            for index, patch in enumerate(self._fill(len(frames), rows, columns)):
                if frames[index] is results['imgs'][index]:
                    frames[index] = frames[index].copy()
                frames[index][top : top + rows, left : left + columns] = patch
        results['imgs'] = frames
        return results

    def _fill(self, num_frames: int, rows: int, columns: int) -> np.ndarray:
        """Draws the content of a box, ``(T, rows, columns, 3)`` uint8, or a shape that broadcasts to it."""
        shape = {'pixel': (num_frames, rows, columns, 3), 'rand': (1, 1, 1, 3), 'const': (1, 1, 1, 3)}[self.mode]
        noise = np.zeros(shape) if self.mode == 'const' else np.random.standard_normal(shape)
        pixels = np.clip(np.rint(noise.astype(np.float32) * self.std + self.mean), 0, 255).astype(np.uint8)
        return np.broadcast_to(pixels, (num_frames, *pixels.shape[1:]))


@TRANSFORMS.register_module()
class SpatialViews(BaseTransform):
    """Makes spatial test views: resizes the short side to ``size`` and crops squares evenly along the long side.

    A single view is the central square. Views are ordered by time first: clip 0 crop 0, clip 0 crop 1, clip 1 crop 0,
    and so on. The spectrogram of a clip is repeated for each of its crops. Changed keys: ``imgs``, ``img_shape``,
    ``num_clips``, ``spectrograms`` (the streams that the sample has).

    Args:
        num_views: Number of crops per clip.
        size: Side of a crop (pixels).
        merge_identical_views: Whether to keep only one crop if all of them are equal (square frames, or no video). The
            averaged scores do not change.

    Raises:
        ValueError: If ``num_views`` or ``size`` is below 1.
    """

    def __init__(self, num_views: int = 2, size: int = 160, merge_identical_views: bool = True) -> None:
        if num_views < 1 or size < 1:
            raise ValueError(f'num_views and size must be at least 1, got {num_views} and {size}')
        self.num_views = num_views
        self.size = size
        self.merge_identical_views = merge_identical_views

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Makes the views."""
        crops = self._crop_corners(*results['img_shape']) if 'imgs' in results else [(0, 0)] * self.num_views
        if self.merge_identical_views and len(set(crops)) == 1:
            crops = crops[:1]
        if 'imgs' in results:
            frames = self._resize(results['imgs'], results['img_shape'])
            clip_len = len(frames) // results['num_clips']
            results['imgs'] = [
                frame[top : top + self.size, left : left + self.size]
                for clip in range(results['num_clips'])
                for top, left in crops
                for frame in frames[clip * clip_len : (clip + 1) * clip_len]
            ]
            results['img_shape'] = (self.size, self.size)
        if 'spectrograms' in results:
            results['spectrograms'] = results['spectrograms'].repeat_interleave(len(crops), dim=0)
        results['num_clips'] *= len(crops)
        return results

    def _resized_shape(self, height: int, width: int) -> tuple[int, int]:
        if height <= width:
            return self.size, int(self.size * width / height)
        return int(self.size * height / width), self.size

    def _crop_corners(self, height: int, width: int) -> list[tuple[int, int]]:
        """Returns the top and the left edge of every crop in the resized frame."""
        new_height, new_width = self._resized_shape(height, width)
        slack = max(new_height, new_width) - self.size
        if self.num_views == 1:
            starts = [slack // 2]
        else:
            starts = [int(slack / (self.num_views - 1) * view) for view in range(self.num_views)]
        return [(0, start) if new_width >= new_height else (start, 0) for start in starts]

    def _resize(self, frames: list[np.ndarray], shape: tuple[int, int]) -> list[np.ndarray]:
        new_height, new_width = self._resized_shape(*shape)
        if (new_height, new_width) == tuple(shape):
            return frames
        return [cv2.resize(frame, (new_width, new_height), interpolation=cv2.INTER_LINEAR) for frame in frames]
