from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
from PIL import Image
from timm.data.auto_augment import rand_augment_transform

from hicmae_mm.datasets.transforms import ClipRandAugment
from hicmae_mm.datasets.transforms.warp import WarpedClip

POLICY = 'rand-m7-n4-mstd0.5-inc1'


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


@pytest.mark.parametrize('interpolation', ['bicubic', 'bilinear'])
def test_every_operation_is_timms(picture: np.ndarray, interpolation: str) -> None:
    mode = getattr(Image.Resampling, interpolation.upper())
    reference = rand_augment_transform(POLICY, dict(interpolation=mode, img_mean=(128,) * 3))
    ours = ClipRandAugment(POLICY, interpolation)
    for operation, original in zip(ours._augment.ops, reference.ops, strict=True):
        operation.prob = original.prob = 1.0
        for seed in range(6):
            random.seed(seed)
            first, second = operation(WarpedClip([picture, picture])).apply_warp()
            random.seed(seed)
            expected = np.array(original(Image.fromarray(picture))).astype(int)
            np.testing.assert_array_equal(first, second)
            difference = np.abs(first.astype(int) - expected)
            moves_pixels = original.name in ('Rotate', 'ShearX', 'ShearY', 'TranslateXRel', 'TranslateYRel')
            assert difference.mean() <= (1.0 if moves_pixels else 0.0), (original.name, seed)


def test_whole_policy_equals_timms(picture: np.ndarray) -> None:
    reference = rand_augment_transform(POLICY, dict(interpolation=Image.Resampling.BICUBIC, img_mean=(128,) * 3))
    ours = ClipRandAugment(POLICY)
    changed = 0
    for seed in range(12):
        random.seed(seed), np.random.seed(seed)
        frames = ours(dict(imgs=[picture] * 3))['imgs']
        random.seed(seed), np.random.seed(seed)
        expected = np.array(reference(Image.fromarray(picture)))
        assert all(np.array_equal(frame, frames[0]) for frame in frames)
        assert frames[0].dtype == np.uint8
        # thresholds and histograms after a warp may tip single pixels
        assert np.median(np.abs(frames[0].astype(int) - expected)) <= 1, seed
        changed += not np.array_equal(frames[0], picture)
    assert changed > 6


def test_a_fused_warp_is_left_to_the_crop(picture: np.ndarray) -> None:
    fused, plain = (ClipRandAugment(POLICY, 'bilinear', is_fused=is_fused) for is_fused in (True, False))
    for operation in (*fused._augment.ops, *plain._augment.ops):
        operation.prob = 1.0
    was_left = 0
    for seed in range(20):
        random.seed(seed), np.random.seed(seed)
        results = fused(dict(imgs=[picture, picture]))
        random.seed(seed), np.random.seed(seed)
        expected = plain(dict(imgs=[picture, picture]))['imgs']
        warp = results.get('pending_warp')
        frames = results['imgs'] if warp is None else warp.apply(results['imgs'], *picture.shape[:2])
        # a colour changed before the warp instead of after it: interpolation rounds at another time
        assert np.abs(frames[1].astype(int) - expected[1]).mean() < 1.5, seed
        was_left += warp is not None
    assert was_left >= 4


def test_fill_follows_the_colours() -> None:
    invert = next(op for op in ClipRandAugment(POLICY)._augment.ops if op.name == 'Invert')
    invert.prob = 1.0
    matrix = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
    clip = invert(WarpedClip.warped([np.full((3, 4, 3), 10, np.uint8)], matrix, (128, 0, 255), cv2.INTER_LINEAR))
    assert clip.apply_warp()[0][1].tolist() == [[245] * 3, [245] * 3, [127, 255, 0], [127, 255, 0]]


def test_no_pictures_no_draws() -> None:
    assert ClipRandAugment()(dict(streams=('audio',))) == dict(streams=('audio',))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match='policy must be a RandAugment string'):
        ClipRandAugment('augmix-m5')
    with pytest.raises(ValueError, match='interpolation must be one of'):
        ClipRandAugment(interpolation='nearest')
