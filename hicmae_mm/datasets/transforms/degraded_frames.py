"""Degradations of pictures for tests of robustness: blur, compression, occlusion, and low frame rates."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.transforms.corruption import clip_generator
from hicmae_mm.registry import TRANSFORMS

_GREY = 127


@TRANSFORMS.register_module()
class GaussianBlur(BaseTransform):
    """Blurs all frames of a clip. The blur is relative to the size of the pictures, so that sizes are comparable.

    Put the transform behind ``DecodeFrames``. Changed key: ``imgs``. Without frames nothing happens.

    Args:
        sigma_share: Standard deviation of the Gaussian as a share of the shorter side; 0 changes nothing.

    Raises:
        ValueError: If ``sigma_share`` is negative.

    Example:
        >>> frame = np.zeros((32, 32, 3), np.uint8)
        >>> frame[16, 16] = 255
        >>> int(GaussianBlur(sigma_share=0.05)(dict(imgs=[frame]))['imgs'][0].max()) < 255
        True
    """

    def __init__(self, sigma_share: float) -> None:
        if sigma_share < 0:
            raise ValueError(f'sigma_share must be at least 0, got {sigma_share}')
        self.sigma_share = sigma_share

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Blurs the frames."""
        if self.sigma_share and 'imgs' in results:
            sigma = self.sigma_share * min(results['imgs'][0].shape[:2])
            results['imgs'] = [cv2.GaussianBlur(frame, (0, 0), sigma) for frame in results['imgs']]
        return results


@TRANSFORMS.register_module()
class CompressFrames(BaseTransform):
    """Encodes each frame as JPEG and decodes it again.

    Put the transform behind ``DecodeFrames``. Changed key: ``imgs``. Without frames nothing happens.

    Args:
        quality: Quality of the JPEG, 1 to 100.

    Raises:
        ValueError: If ``quality`` is out of range.

    Example:
        >>> frame = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        >>> bool((CompressFrames(quality=10)(dict(imgs=[frame]))['imgs'][0] != frame).any())
        True
    """

    def __init__(self, quality: int) -> None:
        if not 1 <= quality <= 100:
            raise ValueError(f'quality must be from 1 to 100, got {quality}')
        self.quality = quality

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Compresses the frames."""
        if 'imgs' in results:
            results['imgs'] = [self._compressed(frame) for frame in results['imgs']]
        return results

    def _compressed(self, frame: np.ndarray) -> np.ndarray:
        # JPEG treats the colours as luminance and chrominance, so the order of the channels matters
        _, encoded = cv2.imencode('.jpg', frame[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, self.quality])
        decoded: Any = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
        return np.ascontiguousarray(decoded[..., ::-1])


@TRANSFORMS.register_module()
class OccludeFrames(BaseTransform):
    """Covers a rectangle of all frames of a clip with grey, at a place that is the same in every test.

    Put the transform behind ``DecodeFrames``. Changed key: ``imgs``. Without frames nothing happens.

    Args:
        share: Covered share of the picture, 0 to 1. The rectangle has the shape of the picture.
        seed: Seed of the places.

    Raises:
        ValueError: If ``share`` is out of range.

    Example:
        >>> covered = OccludeFrames(share=0.25)(dict(imgs=[np.zeros((40, 40, 3), np.uint8)], sample_id='a'))
        >>> int((covered['imgs'][0] > 0).all(axis=2).sum())
        400
    """

    def __init__(self, share: float, seed: int = 0) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f'share must be from 0 to 1, got {share}')
        self.share, self.seed = share, seed

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Covers a part of the frames."""
        if self.share and 'imgs' in results:
            place = clip_generator(results, self.seed).random(2)
            results['imgs'] = [self._covered(frame, place) for frame in results['imgs']]
        return results

    def _covered(self, frame: np.ndarray, place: np.ndarray) -> np.ndarray:
        size = np.array(frame.shape[:2])
        sides = np.rint(size * np.sqrt(self.share)).astype(int)
        top, left = ((size - sides + 1) * place).astype(int)
        frame = frame.copy()
        frame[top : top + sides[0], left : left + sides[1]] = _GREY
        return frame


@TRANSFORMS.register_module()
class LowerFrameRate(BaseTransform):
    """Repeats pictures as a camera with a lower frame rate does. The model gets as many frames as before.

    Put the transform behind ``SampleClips``. Changed key: ``frame_inds``. Without pictures nothing happens.

    Args:
        frames_per_second: Frame rate of the camera. Clips with a lower rate stay as they are.
        assumed_fps: Frame rate of folders of frames, which state none.

    Raises:
        ValueError: If a rate is not above 0.

    Example:
        >>> lower = LowerFrameRate(frames_per_second=5)
        >>> lower(dict(frame_inds=np.arange(12), avg_fps=25.0, video_reader='any'))['frame_inds'].tolist()
        [0, 0, 0, 0, 0, 5, 5, 5, 5, 5, 10, 10]
    """

    def __init__(self, frames_per_second: float, assumed_fps: float = 25.0) -> None:
        if min(frames_per_second, assumed_fps) <= 0:
            raise ValueError(f'frame rates must be above 0, got {frames_per_second} and {assumed_fps}')
        self.frames_per_second, self.assumed_fps = frames_per_second, assumed_fps

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replaces frames by earlier ones."""
        if results.get('video_reader') is None:
            return results
        step = (results['avg_fps'] or self.assumed_fps) / self.frames_per_second
        if step > 1:
            indices = np.asarray(results['frame_inds'])
            held = np.ceil(np.floor(indices / step) * step - 1e-9).astype(indices.dtype)
            results['frame_inds'] = np.minimum(held, indices)
        return results
