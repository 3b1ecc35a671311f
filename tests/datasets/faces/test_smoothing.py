from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.faces.smoothing import moving_average, savgol, smooth

STILL = np.tile([10.0, 10, 20, 20], (9, 1))


def test_moving_average_against_hand_computation() -> None:
    values = np.array([[0.0], [3], [0], [6], [6]])
    np.testing.assert_allclose(moving_average(values, 3)[:, 0], [0, 1, 3, 4, 6])
    np.testing.assert_allclose(moving_average(values, 5)[:, 0], [0, 1, 3, 4, 6])  # windows of 1, 3, 5, 3, 1
    np.testing.assert_allclose(
        moving_average(np.array([[0.0], [0], [10], [0], [0]]), 5)[:, 0], [0, 10 / 3, 2, 10 / 3, 0]
    )


def test_moving_average_against_a_loop() -> None:
    values = np.random.default_rng(0).normal(size=(23, 4))
    for window in (1, 3, 7, 51):
        smoothed = moving_average(values, window)
        for t in range(23):
            half = min(window // 2, t, 22 - t)
            np.testing.assert_allclose(smoothed[t], values[t - half : t + half + 1].mean(axis=0), atol=1e-12)


def test_savgol_against_its_published_coefficients() -> None:
    impulse = np.zeros((11, 1))
    impulse[5] = 35
    np.testing.assert_allclose(savgol(impulse, 5)[:, 0], [0, 0, 0, -3, 12, 17, 12, -3, 0, 0, 0], atol=1e-12)


@pytest.mark.parametrize('method', ['moving_average', 'savgol', 'none'])
def test_steady_motion_comes_out_as_it_went_in(method: str) -> None:
    boxes = STILL + np.arange(9)[:, None] * [1.0, 2, 0, 0]
    np.testing.assert_allclose(smooth(boxes, boxes, method, 5), boxes, atol=1e-12)


def test_trembling_is_reduced() -> None:
    boxes = np.tile([10.0, 10, 40, 40], (900, 1)) + np.random.default_rng(0).normal(size=(900, 4))
    for method, ratio in (('moving_average', 0.5), ('savgol', 0.75)):
        assert (smooth(boxes, boxes, method, 5).std(axis=0) < ratio * boxes.std(axis=0)).all()


@pytest.mark.parametrize('method', ['moving_average', 'savgol'])
def test_smoothing_stops_at_a_jump(method: str) -> None:
    boxes = np.concatenate([STILL[:4], STILL[4:] + np.array([100, 0, 0, 0])])
    np.testing.assert_allclose(smooth(boxes, boxes, method, 5), boxes, atol=1e-12)
    landmarks = np.random.default_rng(0).normal(size=(9, 5, 2))
    smoothed = smooth(landmarks, boxes, method, 3)
    assert smoothed.shape == (9, 5, 2)
    np.testing.assert_allclose(smoothed[:4], smooth(landmarks[:4], boxes[:4], method, 3))
    np.testing.assert_allclose(smoothed[4:], smooth(landmarks[4:], boxes[4:], method, 3))


@pytest.mark.parametrize('length', [1, 2, 3, 4])
def test_clips_shorter_than_the_window(length: int) -> None:
    boxes = STILL[:length] + np.arange(length)[:, None]
    for method in ('moving_average', 'savgol'):
        np.testing.assert_allclose(smooth(boxes, boxes, method, 11), boxes, atol=1e-12)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="smoothing must be one of .*'median'"):
        smooth(STILL, STILL, 'median', 5)
    with pytest.raises(ValueError, match='odd and at least 1, got 4'):
        smooth(STILL, STILL, 'savgol', 4)
