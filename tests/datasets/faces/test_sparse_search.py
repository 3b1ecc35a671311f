"""Searching every n-th frame gives what searching every frame gives."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib import get_data_path
from sklearn.datasets import load_sample_image

from hicmae_mm.datasets.faces import YuNet
from hicmae_mm.datasets.faces.boxes import NO_FACES, Faces
from hicmae_mm.datasets.faces.sparse_search import search_sparsely
from hicmae_mm.datasets.readers.video import read_image

SECONDS = [t / 25 for t in range(13)]


class Detector:
    """Finds what is prepared for the number that is the frame."""

    def __init__(self, faces: list[Faces]) -> None:
        self.faces, self.searched = faces, list[int]()

    def __call__(self, frame: np.ndarray) -> Faces:
        self.searched.append(int(frame))
        return self.faces[int(frame)]


def search(
    faces: list[Faces], distance_seconds: float, seconds: list[float] = SECONDS
) -> tuple[list[Faces], list[int]]:
    detector = Detector(faces)
    frames = (np.array(number) for number in range(len(faces)))
    return search_sparsely(frames, seconds, detector, distance_seconds), detector.searched


def moving(count: int) -> list[Faces]:
    boxes = [np.array([[10.0 + t, 10, 20, 20], [60 - t, 40, 30 + t, 30]]) for t in range(count)]
    return [Faces(box, np.tile(box[:, None, :2], (1, 5, 1))) for box in boxes]


def test_even_motion_comes_out_as_it_is() -> None:
    faces = moving(13)
    for swapped in (3, 4, 8):  # detectors name faces in any order
        faces[swapped] = Faces(faces[swapped].boxes[::-1], faces[swapped].landmarks[::-1])
    found, searched = search(faces, 0.16)
    assert searched == [0, 4, 8, 12]
    for frame, expected in zip(found, moving(13), strict=True):
        order = np.argsort(frame.boxes[:, 1])
        np.testing.assert_allclose(frame.boxes[order], expected.boxes, atol=1e-9)
        np.testing.assert_allclose(frame.landmarks[order], expected.landmarks, atol=1e-9)


def test_every_frame_and_uneven_times() -> None:
    assert search(moving(13), 0.0)[1] == list(range(13))
    assert search(moving(1), 0.16, SECONDS[:1])[1] == [0]
    assert search(moving(2), 0.16, SECONDS[:2])[1] == [0, 1]
    # after a pause of half a second the frame before it and the one after it are searched
    found, searched = search(moving(6), 0.16, [0.0, 0.04, 0.08, 0.58, 0.62, 0.66])
    assert searched == [0, 2, 3, 5]
    np.testing.assert_allclose(found[4].boxes, moving(6)[4].boxes, atol=1e-9)


@pytest.mark.parametrize('kind', ['comes', 'goes', 'jumps'])
def test_the_frame_is_found_in_which_faces_come_go_or_jump(kind: str) -> None:
    there = Faces(np.array([[10.0, 10, 20, 20]]))
    first, second = dict(
        comes=(NO_FACES, there), goes=(there, NO_FACES), jumps=(there, Faces(np.array([[60.0, 10, 20, 20]])))
    )[kind]
    faces = [first] * 6 + [second] * 7
    found, searched = search(faces, 0.16)
    assert sorted(searched) == [0, 4, 5, 6, 8, 12]
    assert [len(frame.boxes) for frame in found] == [len(frame.boxes) for frame in faces]
    for one, other in zip(found, faces, strict=True):
        np.testing.assert_allclose(one.boxes, other.boxes)


def test_a_real_face_is_where_every_frame_shows_it() -> None:
    """A portrait that moves, turns and grows: interpolated landmarks against those of a dense search."""
    portrait = read_image(Path(get_data_path()) / 'sample_data' / 'grace_hopper.jpg')[60:460, 60:460]
    background = cv2.resize(load_sample_image('china.jpg'), (320, 180))
    frames = []
    for t in range(25):
        turn = cv2.getRotationMatrix2D((200, 200), 5 * np.sin(t / 5), 0.3 + 0.002 * t)
        turn[:, 2] += np.array([110 + 40 * np.sin(t / 8), 90 + 8 * np.cos(t / 6)]) - 200
        frames.append(background.copy())
        cv2.warpAffine(portrait, turn, (320, 180), frames[-1], cv2.INTER_AREA, cv2.BORDER_TRANSPARENT)
    seconds = [t / 25 for t in range(25)]
    dense = YuNet(search_seconds=0).locate_at(frames, seconds)
    sparse = YuNet().locate_at(frames, seconds)
    assert [len(faces.boxes) for faces in dense] == [len(faces.boxes) for faces in sparse] == [1] * 25
    width = np.mean([faces.boxes[0, 2] for faces in dense])
    distance = np.stack([one.landmarks[0] - other.landmarks[0] for one, other in zip(dense, sparse)])
    assert 45 < width < 65
    assert np.linalg.norm(distance, axis=2).mean() < 0.03 * width  # 1.6 pixels
    assert np.linalg.norm(distance, axis=2).max() < 0.12 * width
