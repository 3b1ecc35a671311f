"""RandAugment of a whole clip: timm draws, every frame gets the same operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image
from timm.data.auto_augment import AugmentOp, rand_augment_transform

from hicmae_mm.registry import TRANSFORMS

Frames = list[np.ndarray]

_PIL_MODES = {'bicubic': Image.Resampling.BICUBIC, 'bilinear': Image.Resampling.BILINEAR}
_CV2_MODES = {Image.Resampling.BICUBIC: cv2.INTER_CUBIC, Image.Resampling.BILINEAR: cv2.INTER_LINEAR}


@TRANSFORMS.register_module()
class ClipRandAugment(BaseTransform):
    """RandAugment (Cubuk et al., 2020) by timm's policy strings, the same operations on every frame of the clip.

    timm draws operations and magnitudes and does those on colours. Those that move pixels are timm's in effect, but run
    in OpenCV, which is many times faster than Pillow there (cubic kernels differ slightly).

    Required key: ``imgs`` (absent without a video stream: then nothing happens).

    Args:
        policy: timm's policy, e.g. ``'rand-m7-n4-mstd0.5-inc1'``.
        interpolation: ``'bicubic'`` or ``'bilinear'``, for the operations that move pixels.
        fill: Grey level of pixels from outside the frame.
    """

    def __init__(
        self, policy: str = 'rand-m7-n4-mstd0.5-inc1', interpolation: str = 'bicubic', fill: int = 128
    ) -> None:
        if interpolation not in _PIL_MODES:
            raise ValueError(f'interpolation must be one of {sorted(_PIL_MODES)}, got {interpolation!r}')
        if not policy.startswith('rand-'):
            raise ValueError(f"policy must be a RandAugment string of timm such as 'rand-m7-n4', got {policy!r}")
        self.policy = policy
        options = dict(interpolation=_PIL_MODES[interpolation], img_mean=(fill, fill, fill))
        self._augment = rand_augment_transform(policy, options)
        for operation in self._augment.ops:
            operation.aug_fn = _for_clips(operation)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Augments the frames."""
        if 'imgs' in results:
            results['imgs'] = self._augment(results['imgs'])
        return results


def _for_clips(operation: AugmentOp) -> Callable[..., Frames]:
    """The operation on a list of frames, with the arguments that timm gives it for one picture."""
    if operation.name in _MATRICES:
        return partial(_warp_frames, _MATRICES[operation.name])
    return partial(_map_frames, operation.aug_fn)


def _map_frames(function: Any, frames: Frames, *args: Any, **kwargs: Any) -> Frames:
    return [np.array(function(Image.fromarray(frame), *args, **kwargs)) for frame in frames]


def _warp_frames(
    matrix: Callable[[float, int, int], np.ndarray],
    frames: Frames,
    amount: float,
    fillcolor: tuple[int, int, int],
    resample: Image.Resampling,
) -> Frames:
    height, width = frames[0].shape[:2]
    # Pillow's matrices map pixel centres at half-integers, OpenCV's at integers
    affine = matrix(amount, height, width)
    affine[:, 2] += 0.5 * (affine[:, 0] + affine[:, 1]) - 0.5
    flags = _CV2_MODES[resample] | cv2.WARP_INVERSE_MAP
    return [cv2.warpAffine(frame, affine, (width, height), flags=flags, borderValue=fillcolor) for frame in frames]


def _shear_x(factor: float, height: int, width: int) -> np.ndarray:  # noqa: ARG001 (all have one signature)
    return np.array([[1.0, factor, 0.0], [0.0, 1.0, 0.0]])


def _shear_y(factor: float, height: int, width: int) -> np.ndarray:  # noqa: ARG001
    return np.array([[1.0, 0.0, 0.0], [factor, 1.0, 0.0]])


def _translate_x(share: float, height: int, width: int) -> np.ndarray:  # noqa: ARG001
    return np.array([[1.0, 0.0, share * width], [0.0, 1.0, 0.0]])


def _translate_y(share: float, height: int, width: int) -> np.ndarray:  # noqa: ARG001
    return np.array([[1.0, 0.0, 0.0], [0.0, 1.0, share * height]])


def _rotate(degrees: float, height: int, width: int) -> np.ndarray:
    cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    x, y = width / 2, height / 2
    return np.array([[cosine, -sine, x - cosine * x + sine * y], [sine, cosine, y - sine * x - cosine * y]])


# output to input, in Pillow's coordinates, as in timm
_MATRICES: dict[str, Callable[[float, int, int], np.ndarray]] = {
    'ShearX': _shear_x,
    'ShearY': _shear_y,
    'TranslateXRel': _translate_x,
    'TranslateYRel': _translate_y,
    'Rotate': _rotate,
}
