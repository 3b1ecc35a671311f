"""Which of several faces is the clip's, and what to do where there is none. Pure functions over boxes.

A box is ``(x, y, width, height)`` in pixels, the corner at its top left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SEVERAL_POLICIES = ('largest', 'most_central', 'track')
_SAME_FACE_IOU = 0.3  # overlap from which boxes of two frames are taken for one face
_MAX_GAP_FRAMES = 25  # a face may go unseen for so long and still be the same track


@dataclass(frozen=True)
class Faces:
    """The faces of one frame.

    Attributes:
        boxes: ``(n, 4)`` float; n may be 0.
        landmarks: ``(n, 5, 2)`` float, x and y of right eye, left eye, nose tip, right and left corner of the mouth
            (the person's right, which is left in the picture); None from detectors without landmarks.
    """

    boxes: np.ndarray
    landmarks: np.ndarray | None = None


NO_FACES = Faces(np.zeros((0, 4)))


@dataclass(frozen=True)
class FaceTrack:
    """One face per frame.

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


def choose_faces(faces: Sequence[Faces], height: int, width: int, policy: str) -> FaceTrack:
    """Takes one face per frame.

    Args:
        faces: Of every frame.
        height: Of the frames (pixels).
        width: Of the frames (pixels).
        policy: ``'largest'`` area; ``'most_central'``: nearest to the middle of the picture; ``'track'``: the face that
            is seen in most frames, and no other; where it is not, there is none.

    Raises:
        ValueError: If the policy is not known.
    """
    if policy not in SEVERAL_POLICIES:
        raise ValueError(f'the policy for several faces must be one of {SEVERAL_POLICIES}, got {policy!r}')
    if policy == 'track':
        chosen = longest_track([frame.boxes for frame in faces])
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


def longest_track(boxes: Sequence[np.ndarray]) -> np.ndarray:
    """Links boxes that overlap from frame to frame, and takes the longest chain.

    Pairs are linked in order of their overlap. Between two chains of equal length the larger faces win.

    Args:
        boxes: ``(n_t, 4)`` of every frame.

    Returns:
        ``(T,)`` int: index of the chain's box in each frame, -1 where it has none.
    """
    tracks: list[list[tuple[int, int]]] = []  # (frame, box) of each
    for frame, candidates in enumerate(boxes):
        unlinked = set(range(len(candidates)))
        recent = [track for track in tracks if frame - track[-1][0] <= _MAX_GAP_FRAMES + 1]
        if recent and unlinked:
            last = np.stack([boxes[t][i] for t, i in (track[-1] for track in recent)])
            overlap = iou(last[:, None], candidates[None])  # (tracks, boxes)
            for flat in np.argsort(-overlap, axis=None, kind='stable'):
                row, column = divmod(int(flat), len(candidates))
                if overlap[row, column] < _SAME_FACE_IOU:
                    break
                if column in unlinked and recent[row][-1][0] < frame:
                    recent[row].append((frame, column))
                    unlinked.remove(column)
        tracks += [[(frame, column)] for column in sorted(unlinked)]
    chosen = np.full(len(boxes), -1)
    if tracks:
        longest = max(tracks, key=lambda track: (len(track), np.mean([boxes[t][i, 2:].prod() for t, i in track])))
        for frame, column in longest:
            chosen[frame] = column
    return chosen


def iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Intersection over union of boxes ``(..., 4)`` and ``(..., 4)``, which broadcast: ``(...)`` in 0..1."""
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., :2] + first[..., 2:], second[..., :2] + second[..., 2:])
    common = np.clip(high - low, 0, None).prod(axis=-1)
    union = first[..., 2:].prod(axis=-1) + second[..., 2:].prod(axis=-1) - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


def nearest_found(found: np.ndarray) -> np.ndarray:
    """For every frame the nearest one that has a face, the earlier of two: ``(T,)`` bool -> ``(T,)`` int.

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
