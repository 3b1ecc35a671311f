"""One person through a clip, whoever else is there, and whenever the face is missed."""

from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.faces.boxes import NO_FACES, Faces
from hicmae_mm.datasets.faces.selection import choose_faces
from hicmae_mm.datasets.faces.tracking import join_tracks, link_tracks, one_person

FPS = 25.0
Box = tuple[float, float, float, float]


def clip_of(*people: list[Box | None], seed: int = 0) -> tuple[list[np.ndarray], list[list[int]]]:
    """Boxes of every frame in random order, and where in it each person is (-1: unseen)."""
    rng = np.random.default_rng(seed)
    boxes, places = [], []
    for seen in zip(*people):
        there = [number for number, box in enumerate(seen) if box is not None]
        order = rng.permutation(there).tolist()
        boxes.append(np.array([seen[number] for number in order], dtype=float).reshape(-1, 4))
        places.append([order.index(number) if number in there else -1 for number in range(len(people))])
    return boxes, np.array(places).T.tolist()


def person_of(boxes: list[np.ndarray], fps: float = FPS) -> list[int]:
    tracks = join_tracks(link_tracks(boxes, [t / fps for t in range(len(boxes))]))
    return one_person(tracks, [track.weight() for track in tracks], len(boxes)).tolist()


def walk(
    count: int, start: tuple[float, float], step: tuple[float, float], side: float, sway: float = 0.0
) -> list[Box | None]:
    return [
        (start[0] + step[0] * t + sway * side * np.sin(t / 4), start[1] + step[1] * t, side, side) for t in range(count)
    ]


def without(person: list[Box | None], *gaps: tuple[int, int]) -> list[Box | None]:
    return [None if any(low <= t < high for low, high in gaps) else box for t, box in enumerate(person)]


def test_the_face_seen_longest_and_of_equals_the_larger() -> None:
    moving = walk(6, (10, 10), (2, 0), 20)
    larger = walk(6, (60, 60), (0, 0), 40)
    boxes, places = clip_of(without(moving, (3, 4)), without(larger, (2, 5)))
    assert person_of(boxes) == places[0]
    boxes, places = clip_of(moving, larger)
    assert person_of(boxes) == places[1]
    track = choose_faces([Faces(frame) for frame in boxes], 100, 100, 'track')
    assert track.found.all()
    assert track.num_several == 6
    np.testing.assert_array_equal(track.boxes, np.array(larger))


@pytest.mark.parametrize('speed', [1.0, 4.0, 10.0])
@pytest.mark.parametrize('seed', [0, 1, 2])
def test_two_faces_that_cross_keep_their_tracks(speed: float, seed: int) -> None:
    count = int(300 / speed)
    first = walk(count, (0, 50), (speed, 0), 50)
    second = walk(count, (300, 60), (-speed, 0), 46)
    boxes, places = clip_of(first, second, seed=seed)
    tracks = link_tracks(boxes, [t / FPS for t in range(count)])
    assert len(tracks) == 2
    assert sorted(track.places for track in tracks) == sorted(places)


@pytest.mark.parametrize('seed', [0, 1, 2])
def test_a_face_hidden_by_another_that_crosses_it_is_taken_up_again(seed: int) -> None:
    person = walk(100, (0, 50), (3, 0), 50)
    passer = without(walk(100, (300, 50), (-3, 0), 45), (43, 57))  # hidden by the person in front
    boxes, places = clip_of(person, passer, seed=seed)
    assert person_of(boxes) == places[0]


def test_missed_frames_do_not_end_a_track() -> None:
    box = np.array([[0.0, 0, 20, 20]])
    none = NO_FACES.boxes
    for missed, count in ((25, 1), (26, 2)):
        assert len(link_tracks([box, *[none] * missed, box], [t / FPS for t in range(missed + 2)])) == count
    assert person_of([none, none]) == [-1, -1]
    # at another rate the same time, not the same number of frames
    seconds = [t / 5 for t in range(7)]
    assert len(link_tracks([box, *[none] * 5, box], seconds)) == 2


def test_while_the_person_is_unseen_nobody_takes_the_place() -> None:
    person = without(walk(300, (100, 40), (0, 0), 60, sway=0.1), (40, 48), (100, 180), (250, 251))
    neighbour = walk(300, (170, 40), (0, 0), 55, sway=0.05)
    neighbour = without(neighbour, (0, 120))  # is seen longer at a stretch, but less
    boxes, places = clip_of(person, neighbour)
    assert person_of(boxes) == places[0]


def test_a_poster_is_not_the_person_even_if_it_is_seen_more() -> None:
    # as large as the person, seen in every frame, with the tremble of a detector
    rng = np.random.default_rng(1)
    poster = [tuple(np.array([10, 10, 60, 60]) + rng.normal(scale=0.15, size=4)) for _ in range(200)]
    person = without(walk(200, (100, 40), (0, 0), 60, sway=0.1), (50, 70), (120, 160))
    boxes, places = clip_of(poster, person)
    assert person_of(boxes) == places[1]


def test_a_picture_that_is_seen_only_while_the_person_is_away_is_known_from_before() -> None:
    person = without(walk(300, (100, 40), (0, 0), 60, sway=0.1), (100, 200))
    poster = without(walk(300, (10, 10), (0, 0), 50), (60, 120), (180, 260))
    boxes, places = clip_of(person, poster)
    assert person_of(boxes) == places[0]


def test_after_a_cut_the_other_person_counts() -> None:
    first = without(walk(200, (100, 40), (0, 0), 60, sway=0.1), (100, 200))
    second = without(walk(200, (20, 20), (0, 0), 50, sway=0.1), (0, 100))
    small = without(walk(200, (180, 20), (0, 0), 12, sway=0.1), (0, 100))
    boxes, places = clip_of(first, second, small)
    assert person_of(boxes) == places[0][:100] + places[1][100:]


def test_shots_of_two_people_in_turn() -> None:
    first = without(walk(400, (100, 40), (0, 0), 60, sway=0.1), (100, 200), (300, 350))
    second = without(walk(400, (20, 20), (0, 0), 50, sway=0.1), (0, 100), (200, 300), (350, 400))
    boxes, places = clip_of(first, second)
    assert person_of(boxes) == np.maximum(places[0], places[1]).tolist()


def test_size_tells_who_it_is_where_boxes_are_only_near() -> None:
    large = [np.array([[100.0, 100, 80, 80]])] * 2
    small = np.array([[130.0, 110, 30, 30]])  # within the first, but much smaller
    assert len(link_tracks([*large, small], [0, 0.04, 0.08])) == 2
    moved = np.array([[150.0, 100, 80, 80]])
    assert len(link_tracks([*large, moved], [0, 0.04, 0.54])) == 1
    assert len(link_tracks([*large, moved], [0, 0.04, 0.08])) == 2  # not that fast
