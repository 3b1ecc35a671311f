"""Spatial transforms that MMAction2 lacks; resize, random resized crop, multi-scale crop and flip are its own.

RandAugment has its own file, ``rand_augment.py``.

All work on ``imgs``, a list of V*T ``(H, W, 3)`` uint8 arrays, and do nothing where there is none.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torchvision.transforms import RandomErasing

from hicmae_mm.registry import TRANSFORMS

IMAGENET_MEAN = (123.675, 116.28, 103.53)
IMAGENET_STD = (58.395, 57.12, 57.375)


@TRANSFORMS.register_module()
class FixedCrop(BaseTransform):
    """Cuts the same rectangle out of every frame.

    Args:
        top: First row.
        left: First column.
        height: Rows.
        width: Columns.
    """

    def __init__(self, top: int, left: int, height: int, width: int) -> None:
        if min(top, left) < 0 or min(height, width) < 1:
            raise ValueError(f'the crop must lie in the frame, got top={top} left={left} height={height} width={width}')
        self.top, self.left, self.height, self.width = top, left, height, width

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Crops the frames.

        Raises:
            ValueError: If the rectangle leaves the frame.
        """
        if 'imgs' not in results:
            return results
        bottom, right = self.top + self.height, self.left + self.width
        if bottom > results['img_shape'][0] or right > results['img_shape'][1]:
            raise ValueError(
                f'rows {self.top}:{bottom}, columns {self.left}:{right} leave the frame of '
                f'{results["img_shape"][0]}x{results["img_shape"][1]}; resize first, or change FixedCrop'
            )
        results['imgs'] = [img[self.top : bottom, self.left : right] for img in results['imgs']]
        results['img_shape'] = (self.height, self.width)
        return results


@TRANSFORMS.register_module()
class ClipRandomErasing(BaseTransform):
    """Random erasing (Zhong et al., 2020): the same boxes in all frames of the clip, by default one, filled with noise.

    The noise has the mean and deviation that frames have before normalisation, so that it is N(0, 1) after it.

    Args:
        prob: Probability of erasing.
        mode: What fills a box, by timm's names: ``'pixel'`` noise for every pixel, ``'rand'`` one random colour for the
            box, ``'const'`` the mean colour, which is 0 after normalisation.
        max_count: Largest number of boxes; each clip draws 1 to so many, which share the area.
        area_range: Smallest and largest share of the frame.
        aspect_range: Smallest and largest height / width.
        mean: Mean per colour channel (0..255).
        std: Standard deviation per colour channel.
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
        if 'imgs' not in results or np.random.rand() >= self.prob:
            return results
        count = int(np.random.randint(1, self.max_count + 1)) if self.max_count > 1 else 1
        area_range = [share / count for share in self.area_range]
        height, width = results['img_shape']
        canvas = torch.empty((1, height, width), dtype=torch.uint8)
        frames = list(results['imgs'])
        for _ in range(count):
            top, left, rows, columns, _ = RandomErasing.get_params(canvas, area_range, self.aspect_range, [0.0])
            if (rows, columns) == (height, width):  # no box of the wanted shape fits
                continue
            for index, patch in enumerate(self._fill(len(frames), rows, columns)):
                if frames[index] is results['imgs'][index]:
                    frames[index] = frames[index].copy()
                frames[index][top : top + rows, left : left + columns] = patch
        results['imgs'] = frames
        return results

    def _fill(self, num_frames: int, rows: int, columns: int) -> np.ndarray:
        """What a box is filled with, ``(T, rows, columns, 3)`` uint8 or broadcast to it."""
        shape = {'pixel': (num_frames, rows, columns, 3), 'rand': (1, 1, 1, 3), 'const': (1, 1, 1, 3)}[self.mode]
        noise = np.zeros(shape) if self.mode == 'const' else np.random.standard_normal(shape)
        pixels = np.clip(np.rint(noise.astype(np.float32) * self.std + self.mean), 0, 255).astype(np.uint8)
        return np.broadcast_to(pixels, (num_frames, *pixels.shape[1:]))


@TRANSFORMS.register_module()
class SpatialViews(BaseTransform):
    """Test views: the short side to ``size``, then evenly placed square crops along the long side (one: its centre).

    Views are ordered by time first: clip 0 crop 0, clip 0 crop 1, clip 1 crop 0, ... The spectrogram of a clip is
    repeated for each of its crops. Changed keys: ``imgs``, ``img_shape``, ``num_clips``, ``spectrograms`` (if there).

    Args:
        num_views: Crops per clip.
        size: Side of a crop, pixels.
        merge_identical_views: Keep one crop where all of them coincide (square frames, or no video); averaged scores
            do not change.
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
        """Top and left of every crop in the resized frame."""
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
