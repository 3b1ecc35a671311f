from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from hicmae_mm.datasets.transforms import ClipRandomErasing, FixedCrop, SpatialViews
from hicmae_mm.registry import TRANSFORMS
from tests.conftest import MediaFolder


def _results(frames: np.ndarray, num_clips: int = 1, **extra: Any) -> dict[str, Any]:
    return dict(imgs=list(frames), img_shape=frames.shape[1:3], num_clips=num_clips, modality='RGB', **extra)


def test_fixed_crop() -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    results = FixedCrop(top=2, left=5, height=8, width=10)(_results(frames))
    np.testing.assert_array_equal(np.stack(results['imgs']), frames[:, 2:10, 5:15])
    assert results['img_shape'] == (8, 10)
    with pytest.raises(ValueError, match='rows 0:21 and columns 0:10 do not lie within the frame of 20x30'):
        FixedCrop(top=0, left=0, height=21, width=10)(_results(frames))
    with pytest.raises(ValueError, match='must lie in the frame'):
        FixedCrop(top=-1, left=0, height=1, width=1)


def test_erasing_fills_one_box_of_every_frame_with_noise() -> None:
    np.random.seed(0), torch.manual_seed(0)
    frames = np.zeros((4, 64, 48, 3), dtype=np.uint8)
    frames[..., 0] = 255
    shares = []
    for _ in range(40):
        erased = np.stack(ClipRandomErasing(prob=1.0)(_results(frames))['imgs'])
        changed = (erased != frames).any(axis=-1)
        union = changed.any(axis=0)
        rows, columns = np.flatnonzero(union.any(axis=1)), np.flatnonzero(union.any(axis=0))
        box = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        assert union[box].all()
        assert not np.array_equal(erased[0][box], erased[1][box])  # noise per pixel and frame
        shares.append(union.mean())
    assert 0.015 < min(shares) < max(shares) < 0.35
    assert frames[..., 1].max() == 0  # the input is left alone


def test_erasing_noise_is_standard_normal_after_normalisation() -> None:
    np.random.seed(0), torch.manual_seed(0)
    frames = np.zeros((16, 64, 64, 3), dtype=np.uint8)
    erased = np.stack(ClipRandomErasing(prob=1.0, area_range=(0.3, 0.33))(_results(frames))['imgs'])
    pixels = erased[(erased != frames).any(axis=-1)].astype(float)
    for channel, (mean, std) in enumerate(zip((123.675, 116.28, 103.53), (58.395, 57.12, 57.375))):
        normalised = (pixels[:, channel] - mean) / std
        assert normalised.mean() == pytest.approx(0, abs=0.05)
        assert normalised.std() == pytest.approx(1, abs=0.05)  # clipping to 0..255 costs a little


def test_erasing_happens_as_often_as_asked() -> None:
    np.random.seed(0), torch.manual_seed(0)
    frames = np.zeros((1, 32, 32, 3), dtype=np.uint8)
    happened = [np.stack(ClipRandomErasing(prob=0.25)(_results(frames))['imgs']).any() for _ in range(400)]
    assert np.mean(happened) == pytest.approx(0.25, abs=0.06)
    with pytest.raises(ValueError, match=r'prob must lie in 0\.\.1'):
        ClipRandomErasing(prob=2)


@pytest.mark.parametrize('mode', ['rand', 'const'])
def test_boxes_of_one_colour(mode: str) -> None:
    np.random.seed(0), torch.manual_seed(0)
    frames = np.zeros((3, 64, 64, 3), dtype=np.uint8)
    colours = set()
    for _ in range(10):
        erased = np.stack(ClipRandomErasing(prob=1.0, mode=mode)(_results(frames))['imgs'])
        assert (erased == erased[:1]).all()
        box = erased[0][erased[0].any(axis=-1)]
        assert (box == box[0]).all()
        colours.add(tuple(box[0]))
    assert colours == {(124, 116, 104)} if mode == 'const' else len(colours) == 10


def test_several_boxes_share_the_area() -> None:
    np.random.seed(0), torch.manual_seed(0)
    frames = np.zeros((2, 64, 64, 3), dtype=np.uint8)
    erasing = ClipRandomErasing(prob=1.0, mode='const', max_count=3, area_range=(0.05, 0.05), aspect_range=(1, 1))
    counts, shares = [], []
    for _ in range(30):
        erased = np.stack(erasing(_results(frames))['imgs'])[0].any(axis=-1)
        shares.append(erased.mean())
        counts.append(cv2.connectedComponents(erased.astype(np.uint8), connectivity=4)[0] - 1)
    assert set(counts) == {1, 2, 3}
    assert max(shares) < 0.055  # boxes may overlap, but never exceed the whole area
    assert not frames.any()
    with pytest.raises(ValueError, match="mode must be 'pixel', 'rand' or 'const'"):
        ClipRandomErasing(mode='noise')


def test_views_are_time_major_and_repeat_the_sound(media: MediaFolder) -> None:
    frames = np.zeros((4, 40, 80, 3), dtype=np.uint8)
    frames[:] = np.arange(4)[:, None, None, None] * 10
    frames[:, :, 40:] += 100
    sound = torch.arange(2.0).view(2, 1, 1)
    results = SpatialViews(num_views=2, size=20)(_results(frames, num_clips=2, spectrograms=sound))
    assert results['num_clips'] == 4
    assert results['img_shape'] == (20, 20)
    values = [int(img[:, 2:-2].mean()) for img in results['imgs']]
    assert values == [0, 10, 100, 110, 20, 30, 120, 130]
    assert results['spectrograms'].flatten().tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize('shape', [(100, 64), (64, 100), (90, 121)])
@pytest.mark.parametrize('num_views', [1, 2, 3])
def test_crops_are_evenly_placed(shape: tuple[int, int], num_views: int) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    results = SpatialViews(num_views, size=32)(_results(frame[None]))
    short = min(shape)
    height, width = (int(32 * side / short) for side in shape)
    resized = cv2.resize(frame, (width, height), interpolation=cv2.INTER_LINEAR)
    slack = max(height, width) - 32
    starts = {1: [slack // 2], 2: [0, slack], 3: [0, slack // 2, slack]}[num_views]
    for img, start in zip(results['imgs'], starts, strict=True):
        expected = resized[start : start + 32] if height > width else resized[:, start : start + 32]
        np.testing.assert_array_equal(img, expected)


def test_square_frames_give_one_view_unless_told_otherwise() -> None:
    frames = np.zeros((3, 40, 40, 3), dtype=np.uint8)
    assert SpatialViews(2, size=20)(_results(frames))['num_clips'] == 1
    results = SpatialViews(2, size=20, merge_identical_views=False)(_results(frames))
    assert (results['num_clips'], len(results['imgs'])) == (2, 6)


def test_sound_alone_has_no_crops() -> None:
    results = dict(num_clips=2, spectrograms=torch.zeros(2, 4, 4), img_shape=(40, 60))
    assert SpatialViews(2)(dict(results))['spectrograms'].shape[0] == 2
    assert SpatialViews(2, merge_identical_views=False)(dict(results))['num_clips'] == 4


def test_views_options_are_checked() -> None:
    with pytest.raises(ValueError, match='must be at least 1'):
        SpatialViews(num_views=0)


def test_mmaction_transforms_work_in_our_pipelines(media: MediaFolder) -> None:
    results = _results(media.frames(2, 80, 80))
    for config in (
        dict(type='mmaction.MultiScaleCrop', input_size=64, scales=(1, 0.875, 0.75, 0.66), num_fixed_crops=13),
        dict(type='mmaction.Resize', scale=(64, 64), keep_ratio=False),
        dict(type='mmaction.RandomResizedCrop'),
        dict(type='mmaction.Resize', scale=(32, 24), keep_ratio=False),
        dict(type='mmaction.Flip', flip_ratio=1.0),
        dict(type='mmaction.CenterCrop', crop_size=20),
    ):
        results = TRANSFORMS.build(config)(results)
    assert [img.shape for img in results['imgs']] == [(20, 20, 3)] * 2
