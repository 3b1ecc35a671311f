from __future__ import annotations

import cv2
import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces.alignment import TEMPLATE, box_transforms, cut_out, landmark_transforms
from tests.conftest import MediaFolder

PICTURE = MediaFolder.frames(1, 64, 96)[0]
IDENTITY = np.array([[1.0, 0, 0], [0, 1, 0]])


def apply(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    return points @ transform[:, :2].T + transform[:, 2]


def test_box_transforms_against_hand_computation() -> None:
    boxes = np.array([[10.0, 20, 40, 20], [0, 0, 64, 64]])
    # the first: middle (30, 30), side 40 * 1.5 = 60, so from (0, 0) on, twice as large
    first, second = box_transforms(boxes, margin=0.25, size=120)
    np.testing.assert_allclose(first, [[2, 0, 0], [0, 2, 0]])
    np.testing.assert_allclose(second, [[1.25, 0, 20], [0, 1.25, 20]])  # 64 * 1.5 = 96 to 120


def test_landmarks_on_the_template_stay() -> None:
    np.testing.assert_allclose(landmark_transforms(TEMPLATE[None] * 200, 0.0, 200)[0], IDENTITY, atol=1e-12)
    # a margin of a half: the template fills the middle half
    transform = landmark_transforms(TEMPLATE[None] * 200, 0.5, 200)[0]
    np.testing.assert_allclose(transform, [[0.5, 0, 50], [0, 0.5, 50]], atol=1e-12)


def test_template_is_a_face() -> None:
    np.testing.assert_allclose(TEMPLATE[[1, 4]] + TEMPLATE[[0, 3]], [[1, 0.76], [1, 1.54]])  # symmetric
    assert TEMPLATE[0, 0] < TEMPLATE[1, 0]
    assert TEMPLATE[0, 1] < TEMPLATE[2, 1] < TEMPLATE[3, 1]


def test_turned_scaled_and_shifted_faces_are_brought_back() -> None:
    angle, scale, shift = np.deg2rad([0, 30, -75]), np.array([1, 2.5, 0.3]), np.array([[0, 0], [40, -7], [3, 300]])
    turn = np.stack([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    landmarks = (TEMPLATE * 100) @ turn.transpose(0, 2, 1) * scale[:, None, None] + shift[:, None]
    transforms = landmark_transforms(landmarks, 0.0, 100)
    for transform, points in zip(transforms, landmarks, strict=True):
        np.testing.assert_allclose(apply(transform, points), TEMPLATE * 100, atol=1e-9)
        expected, _ = cv2.estimateAffinePartial2D(points, TEMPLATE * 100)
        np.testing.assert_allclose(transform, expected, atol=1e-3)


def test_unlike_faces_get_the_least_squares_solution() -> None:
    landmarks = TEMPLATE * 80 + np.random.default_rng(0).normal(scale=6, size=(3, 5, 2))
    for transform, points in zip(landmark_transforms(landmarks, 0.1, 112), landmarks, strict=True):
        x, y, one, none = points[:, 0], points[:, 1], np.ones(5), np.zeros(5)
        # unknowns a, b, tx, ty of [[a, -b, tx], [b, a, ty]]
        rows = np.concatenate([np.stack([x, -y, one, none], 1), np.stack([y, x, none, one], 1)])
        target = (TEMPLATE + 0.1) * 112 / 1.2
        (a, b, tx, ty), *_ = np.linalg.lstsq(rows, target.T.reshape(-1), rcond=None)
        np.testing.assert_allclose(transform, [[a, -b, tx], [b, a, ty]], atol=1e-9)


def test_landmarks_in_one_point_are_an_error() -> None:
    landmarks = np.stack([TEMPLATE * 50, np.full((5, 2), 7.0)])
    with pytest.raises(MediaError, match='landmarks of frame 1 coincide'):
        landmark_transforms(landmarks, 0.0, 100)


def test_cutting_without_scaling_copies_pixels() -> None:
    transform = box_transforms(np.array([[20.0, 10, 32, 32]]), 0.0, 32)[0]
    np.testing.assert_array_equal(cut_out(PICTURE, transform, 32), PICTURE[10:42, 20:52])


def test_what_lies_outside_is_black() -> None:
    transform = box_transforms(np.array([[-8.0, -8, 32, 32]]), 0.0, 32)[0]
    picture = cut_out(PICTURE, transform, 32)
    np.testing.assert_array_equal(picture[8:, 8:], PICTURE[:24, :24])
    assert not picture[:8].any()
    assert not picture[:, :8].any()


def test_shrinking_averages_blocks() -> None:
    transform = box_transforms(np.array([[0.0, 0, 64, 64]]), 0.0, 16)[0]
    blocks = PICTURE[:, :64].reshape(16, 4, 16, 4, 3).mean(axis=(1, 3))
    assert np.abs(cut_out(PICTURE, transform, 16) - blocks).max() <= 0.51


def test_enlarging_the_whole_frame_leaves_no_dark_rim() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    transform = box_transforms(np.array([[0.0, 0, 64, 64]]), 0.0, 150)[0]
    assert cut_out(white, transform, 150).min() == 255
    wide = np.full((50, 100, 3), 255, np.uint8)  # letterboxed: a quarter of black above and below
    transform = box_transforms(np.array([[0.0, 0, 100, 50]]), 0.0, 100)[0]
    picture = cut_out(wide, transform, 100)
    assert picture[25:75].min() == 255
    assert not picture[:24].any()
    assert not picture[76:].any()
