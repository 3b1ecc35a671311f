from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
from mmaction.datasets.transforms import RandomResizedCrop

from hicmae_mm.datasets.transforms import PackAudioVisual, RandomResizedCropFlip
from hicmae_mm.datasets.transforms.warp import Warp

IDENTITY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


@pytest.fixture(scope='module')
def picture() -> np.ndarray:
    noise = np.random.default_rng(0).integers(0, 256, (96, 128, 3), dtype=np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 4)


def cropped(picture: np.ndarray, seed: int, warp: Warp | None = None, **options: float) -> list[np.ndarray]:
    random.seed(seed), np.random.seed(seed)
    results = dict(imgs=[picture, picture[::-1].copy()], img_shape=picture.shape[:2])
    if warp is not None:
        results['pending_warp'] = warp
    results = RandomResizedCropFlip(size=40, **options)(results)
    assert 'pending_warp' not in results
    assert results['img_shape'] == (40, 40)
    return results['imgs']


def test_box_resize_and_flip_are_those_of_the_single_transforms(picture: np.ndarray) -> None:
    for seed in range(5):
        random.seed(seed), np.random.seed(seed)
        left, top, right, bottom = RandomResizedCrop.get_crop_bbox(picture.shape[:2], (0.08, 1.0), (3 / 4, 4 / 3))
        expected = cv2.resize(picture[top:bottom, left:right], (40, 40))
        np.testing.assert_array_equal(cropped(picture, seed, flip_ratio=0.0)[0], expected)
        np.testing.assert_array_equal(cropped(picture, seed, flip_ratio=1.0)[0], expected[:, ::-1])


def test_every_frame_gets_the_same_box(picture: np.ndarray) -> None:
    first, second = cropped(picture, 3, area_range=(1.0, 1.0), aspect_ratio_range=(4 / 3, 4 / 3))
    assert np.abs(first.astype(int) - second[::-1]).max() <= 1


@pytest.mark.parametrize('flip_ratio', [0.0, 1.0])
def test_a_pending_warp_is_done_with_the_crop(picture: np.ndarray, flip_ratio: float) -> None:
    rotation = np.array([[0.98, -0.17, 12.0], [0.17, 0.98, -9.0]])
    for matrix in (IDENTITY, rotation):
        warp = Warp(matrix, (128, 128, 128), cv2.INTER_LINEAR)
        for seed in range(5):
            fused = cropped(picture, seed, warp, flip_ratio=flip_ratio)
            expected = cropped(warp.apply([picture], *picture.shape[:2])[0], seed, flip_ratio=flip_ratio)
            assert np.abs(fused[0].astype(int) - expected[0]).mean() < 1.0


def test_no_pictures_no_draws() -> None:
    assert RandomResizedCropFlip(8)(dict(streams=('audio',))) == dict(streams=('audio',))


def test_options_are_checked() -> None:
    for options, message in (
        (dict(size=0), 'size must be at least 1'),
        (dict(size=8, area_range=(0.0, 1.0)), 'area_range must be two numbers'),
        (dict(size=8, aspect_ratio_range=(2.0, 1.0)), 'aspect_ratio_range must be two numbers'),
        (dict(size=8, flip_ratio=1.5), 'flip_ratio must lie in 0..1'),
    ):
        with pytest.raises(ValueError, match=message):
            RandomResizedCropFlip(**options)


def test_a_warp_that_nobody_does_is_an_error() -> None:
    results = dict(num_clips=1, streams=('video',), imgs=[np.zeros((4, 4, 3), np.uint8)], pending_warp=object())
    with pytest.raises(ValueError, match='was not applied; put RandomResizedCropFlip after it'):
        PackAudioVisual()(results)
