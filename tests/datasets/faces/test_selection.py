from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.faces.boxes import NO_FACES, Faces, iou
from hicmae_mm.datasets.faces.selection import (
    choose_faces,
    fill_gaps,
    nearest_found,
)


def faces(*boxes: tuple[float, float, float, float]) -> Faces:
    return Faces(np.array(boxes, dtype=float).reshape(-1, 4))


def test_iou_against_hand_computation() -> None:
    first = np.array([[0, 0, 2, 2], [0, 0, 2, 2], [0, 0, 4, 2], [0, 0, 0, 0]], dtype=float)
    second = np.array([[1, 1, 2, 2], [2, 0, 2, 2], [1, 0, 2, 2], [0, 0, 0, 0]], dtype=float)
    np.testing.assert_allclose(iou(first, second), [1 / 7, 0, 0.5, 0])
    assert iou(first[:, None], second[None]).shape == (4, 4)


def test_largest_and_most_central() -> None:
    frames = [faces((0, 0, 30, 30), (40, 40, 20, 20)), NO_FACES, faces((70, 70, 10, 10))]
    largest = choose_faces(frames, 100, 100, 'largest')
    assert largest.boxes.tolist() == [[0, 0, 30, 30], [0, 0, 0, 0], [70, 70, 10, 10]]
    assert largest.found.tolist() == [True, False, True]
    assert largest.num_several == 1
    assert largest.landmarks is None
    central = choose_faces(frames, 100, 100, 'most_central')
    assert central.boxes[0].tolist() == [40, 40, 20, 20]
    # the middle of a wide picture is elsewhere
    assert choose_faces(frames, 40, 40, 'most_central').boxes[0].tolist() == [0, 0, 30, 30]


def test_landmarks_follow_the_choice() -> None:
    points = np.arange(20.0).reshape(2, 5, 2)
    frames = [NO_FACES, Faces(np.array([[0, 0, 1, 1], [0, 0, 2, 2]], dtype=float), points)]
    track = choose_faces(frames, 10, 10, 'largest')
    assert track.landmarks is not None
    np.testing.assert_array_equal(track.landmarks, [np.zeros((5, 2)), points[1]])
    np.testing.assert_array_equal(fill_gaps(track).landmarks, [points[1], points[1]])


def test_gaps_take_the_nearest_the_earlier_of_two() -> None:
    found = np.array([0, 1, 0, 0, 0, 1, 0], dtype=bool)
    assert nearest_found(found).tolist() == [1, 1, 1, 1, 5, 5, 5]
    rng = np.random.default_rng(0)
    for _ in range(20):
        found = rng.random(12) < 0.3
        found[rng.integers(12)] = True
        seen = np.flatnonzero(found).tolist()
        assert nearest_found(found).tolist() == [min(seen, key=lambda s: (abs(s - t), s)) for t in range(12)]
    with pytest.raises(ValueError, match='no frame with a face'):
        nearest_found(np.zeros(3, dtype=bool))


def test_unknown_policy_is_named() -> None:
    with pytest.raises(ValueError, match="'smallest'"):
        choose_faces([NO_FACES], 10, 10, 'smallest')
