"""Chooses one of several faces, and fills frames without a face. All functions are pure functions over boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from hicmae_mm.datasets.faces.boxes import Faces
from hicmae_mm.datasets.faces.tracking import Track, join_tracks, link_tracks, one_person

SEVERAL_POLICIES = ('largest', 'most_central', 'track', 'speaker')
_ASSUMED_FPS = 25.0


@dataclass(frozen=True)
class FaceTrack:
    """Stores one face per frame.

    Attributes:
        found: ``(T,)`` bool, whether it was seen.
        boxes: ``(T, 4)`` float; zeros where it was not seen, until :func:`fill_gaps`.
        landmarks: ``(T, 5, 2)`` float, or None.
        num_several: Frames with more than one face.
    """

    found: np.ndarray
    boxes: np.ndarray
    landmarks: np.ndarray | None
    num_several: int

    def at(self, places: Sequence[int]) -> FaceTrack:
        """Returns the same selection for some of the frames. ``num_several`` still counts all frames."""
        landmarks = None if self.landmarks is None else self.landmarks[places]
        return FaceTrack(self.found[places], self.boxes[places], landmarks, self.num_several)


def choose_faces(
    faces: Sequence[Faces],
    height: int,
    width: int,
    policy: str,
    seconds: Sequence[float] | None = None,
    weigh_speakers: Callable[[Sequence[Track]], Sequence[float]] | None = None,
) -> FaceTrack:
    """Takes one face per frame.

    Args:
        faces: Faces of every frame.
        height: Height of the frames in pixels.
        width: Width of the frames in pixels.
        policy: ``'largest'`` area; ``'most_central'``: nearest to the middle of the picture; ``'track'``: one person
            through the clip, the one seen longest, of equals the larger, see
            :func:`~hicmae_mm.datasets.faces.tracking.one_person`; where that person is not, there is no face.
            ``'speaker'``: the same, but the one who speaks.
        seconds: Time at which each frame is shown; None means 25 a second.
        weigh_speakers: Says how much each of several people is the speaker; None means nothing tells, as without sound.

    Raises:
        ValueError: If the policy is not known.
    """
    if policy not in SEVERAL_POLICIES:
        raise ValueError(f'the policy for several faces must be one of {SEVERAL_POLICIES}, got {policy!r}')
    if policy in ('track', 'speaker'):
        moments = [index / _ASSUMED_FPS for index in range(len(faces))] if seconds is None else seconds
        tracks = join_tracks(link_tracks([frame.boxes for frame in faces], moments))
        weights: Sequence[float] = [track.weight() for track in tracks]
        if policy == 'speaker' and weigh_speakers is not None and len(tracks) > 1:
            weights = weigh_speakers(tracks)
        chosen = one_person(tracks, weights, len(faces))
    else:
        middle = np.array([width / 2, height / 2])
        chosen = np.array([_best(frame.boxes, middle, policy) for frame in faces], dtype=int)
    found = chosen >= 0
    boxes = np.zeros((len(faces), 4))
    has_landmarks = any(frame.landmarks is not None for frame in faces)
    landmarks = np.zeros((len(faces), 5, 2)) if has_landmarks else None
    for t, (frame, index) in enumerate(zip(faces, chosen, strict=True)):
        if index >= 0:
            boxes[t] = frame.boxes[index]
            if landmarks is not None and frame.landmarks is not None:
                landmarks[t] = frame.landmarks[index]
    return FaceTrack(found, boxes, landmarks, num_several=sum(len(frame.boxes) > 1 for frame in faces))


def _best(boxes: np.ndarray, middle: np.ndarray, policy: str) -> int:
    if len(boxes) == 0:
        return -1
    if policy == 'largest':
        return int(np.argmax(boxes[:, 2] * boxes[:, 3]))
    return int(np.argmin(np.linalg.norm(boxes[:, :2] + boxes[:, 2:] / 2 - middle, axis=1)))


def nearest_found(found: np.ndarray) -> np.ndarray:
    """Finds for every frame the nearest one with a face, the earlier of two: ``(T,)`` bool -> ``(T,)`` int.

    Raises:
        ValueError: If no frame has one.
    """
    seen = np.flatnonzero(found)
    if len(seen) == 0:
        raise ValueError('there is no frame with a face')
    frames = np.arange(len(found))
    after = np.searchsorted(seen, frames)
    right = seen[np.minimum(after, len(seen) - 1)]
    left = seen[np.maximum(after - 1, 0)]
    return np.where(np.abs(frames - left) <= np.abs(right - frames), left, right)


def fill_gaps(track: FaceTrack) -> FaceTrack:
    """Gives frames without a face the box and landmarks of the nearest frame with one; ``found`` stays."""
    nearest = nearest_found(track.found)
    landmarks = None if track.landmarks is None else track.landmarks[nearest]
    return FaceTrack(track.found, track.boxes[nearest], landmarks, track.num_several)
