"""RandAugment of a whole clip: timm draws, every frame gets the same operations."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from PIL import Image, ImageStat

from hicmae_mm.datasets.transforms.warp import WarpedClip
from hicmae_mm.registry import TRANSFORMS

if TYPE_CHECKING:
    from timm.data.auto_augment import AugmentOp

_PIL_MODES = {'bicubic': Image.Resampling.BICUBIC, 'bilinear': Image.Resampling.BILINEAR}
_CV2_MODES = {Image.Resampling.BICUBIC: cv2.INTER_CUBIC, Image.Resampling.BILINEAR: cv2.INTER_LINEAR}
_LINEAR = ('Invert', 'Brightness')  # the beginnings of timm's names
_POINTWISE = (*_LINEAR, 'Posterize', 'Solarize')
_EVERY_VALUE = np.repeat(np.arange(256, dtype=np.uint8)[None, :, None], 3, axis=2)  # (1, 256, 3)


@TRANSFORMS.register_module()
class ClipRandAugment(BaseTransform):
    """Applies RandAugment (Cubuk et al., 2020) by timm's policy strings, with the same operations on every frame.

    timm draws operations and magnitudes and defines those on colours. Those that move pixels are timm's in effect, but
    run in OpenCV, which is many times faster than Pillow there (cubic kernels differ slightly).

    Required key: ``imgs`` (absent without a video stream: then nothing happens). Added key with ``is_fused``:
    ``pending_warp``, if the last operation that moves pixels has not been carried out.

    Args:
        policy: timm's policy, e.g. ``'rand-m7-n4-mstd0.5-inc1'``.
        interpolation: ``'bicubic'`` or ``'bilinear'``, for the operations that move pixels.
        fill: Grey level of pixels from outside the frame.
        is_fused: Leave the last warp to ``RandomResizedCropFlip``, which must follow: it samples every pixel once.
    """

    def __init__(
        self,
        policy: str = 'rand-m7-n4-mstd0.5-inc1',
        interpolation: str = 'bicubic',
        fill: int = 128,
        is_fused: bool = False,
    ) -> None:
        if interpolation not in _PIL_MODES:
            raise ValueError(f'interpolation must be one of {sorted(_PIL_MODES)}, got {interpolation!r}')
        if not policy.startswith('rand-'):
            raise ValueError(f"policy must be a RandAugment string of timm such as 'rand-m7-n4', got {policy!r}")
        from timm.data.auto_augment import rand_augment_transform  # costs a second and 100 MB, so only where needed

        self.policy = policy
        self.is_fused = is_fused
        options = dict(interpolation=_PIL_MODES[interpolation], img_mean=(fill, fill, fill))
        self._augment = rand_augment_transform(policy, options)
        for operation in self._augment.ops:
            operation.aug_fn = _for_clips(operation)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Augments the frames."""
        if 'imgs' not in results:
            return results
        clip = self._augment(WarpedClip(results['imgs']))
        if self.is_fused and clip.warp is not None:
            results['imgs'], results['pending_warp'] = clip.frames, clip.warp
        else:
            results['imgs'] = clip.apply_warp()
        return results


def _for_clips(operation: AugmentOp) -> Callable[..., WarpedClip]:
    """Applies the operation to a clip, with the arguments that timm gives it for one picture."""
    if operation.name in _MATRICES:
        return partial(_warp, _MATRICES[operation.name])
    if operation.name.startswith(_POINTWISE):
        return partial(_look_up, operation.aug_fn, operation.name.startswith(_LINEAR))
    if operation.name.startswith('Contrast'):
        return _contrast
    if operation.name.startswith('Sharpness'):
        return _sharpen
    return partial(_map_frames, operation.aug_fn)


def _map_frames(function: Any, clip: WarpedClip, *args: Any, **kwargs: Any) -> WarpedClip:
    return WarpedClip([np.array(function(Image.fromarray(frame), *args, **kwargs)) for frame in clip.apply_warp()])


def _look_up(function: Any, is_linear: bool, clip: WarpedClip, *args: Any, **kwargs: Any) -> WarpedClip:
    """Applies an operation on single values once to all 256 values, then looks the results up.

    A linear one may come before a warp that is still to be done, for interpolation is linear too.
    """
    table = np.array(function(Image.fromarray(_EVERY_VALUE), *args, **kwargs))
    return (clip if is_linear else WarpedClip(clip.apply_warp())).recolour(table)


def _contrast(clip: WarpedClip, factor: float, **_: Any) -> WarpedClip:
    """Changes contrast as Pillow does: away from, or towards, the mean grey of each frame."""
    values = Image.fromarray(_EVERY_VALUE)
    frames = []
    for frame in clip.apply_warp():
        mean = int(ImageStat.Stat(Image.fromarray(frame).convert('L')).mean[0] + 0.5)
        table = np.array(Image.blend(Image.new('RGB', values.size, (mean, mean, mean)), values, factor))
        frames.append(cv2.LUT(frame, table))
    return WarpedClip(frames)


def _sharpen(clip: WarpedClip, factor: float, **_: Any) -> WarpedClip:
    """Changes sharpness as Pillow does: away from, or towards, a 3x3 mean in which the centre counts five times."""
    return WarpedClip([_sharpen_frame(frame, factor) for frame in clip.apply_warp()])


def _sharpen_frame(frame: np.ndarray, factor: float) -> np.ndarray:
    if min(frame.shape[:2]) < 3:  # all border
        unchanged: np.ndarray = frame.copy()
        return unchanged
    total = cv2.boxFilter(frame, cv2.CV_16U, (3, 3), normalize=False)
    smooth = frame.copy()
    total += np.uint16(4) * frame
    smooth[1:-1, 1:-1] = ((2 * total + 13) // 26)[1:-1, 1:-1]  # rounded total / 13
    return cv2.addWeighted(frame, factor, smooth, 1 - factor, -0.4999)  # Pillow cuts fractions off


def _warp(
    matrix: Callable[[float, int, int], np.ndarray],
    clip: WarpedClip,
    amount: float,
    fillcolor: tuple[int, int, int],
    resample: Image.Resampling,
) -> WarpedClip:
    frames = clip.apply_warp()
    height, width = frames[0].shape[:2]
    # Pillow's matrices map pixel centres at half-integers, OpenCV's at integers
    affine = matrix(amount, height, width)
    affine[:, 2] += 0.5 * (affine[:, 0] + affine[:, 1]) - 0.5
    return WarpedClip.warped(frames, affine, fillcolor, _CV2_MODES[resample])


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
