"""Faces of every frame, where only some frames are searched: between these, faces move evenly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import scipy

from hicmae_mm.datasets.faces.boxes import Faces, iou

_SAME_FACE_IOU = 0.5  # of a face in two searched frames; what moves faster is searched more often
_ROUNDING_SECONDS = 1e-3  # of time stamps


def search_sparsely(
    frames: Iterable[np.ndarray],
    seconds: Sequence[float],
    search: Callable[[np.ndarray], Faces],
    distance_seconds: float,
) -> list[Faces]:
    """Searches frames that lie up to a distance apart, and the first and the last one.

    Between two searched frames that show the same faces, boxes and landmarks are interpolated. Where a face comes, goes
    or jumps, the frame in the middle is searched, too, and so on, until it is known between which frames.
    No more frames are held than lie between two searched ones.

    Args:
        frames: ``(H, W, 3)`` uint8 each.
        seconds: Time at which each of them is shown, ascending.
        search: Finds the faces of a frame.
        distance_seconds: Between searched frames; 0 searches every frame.

    Returns:
        The faces of every frame.
    """
    found: list[Faces] = []
    between: list[np.ndarray] = []
    before = 0  # the last frame that was searched
    for index, frame in enumerate(frames):
        is_last = index + 1 >= len(seconds)
        if index > 0 and not is_last and seconds[index + 1] - seconds[before] <= distance_seconds + _ROUNDING_SECONDS:
            between.append(frame)
            continue
        faces = search(frame)
        if between:
            found += _fill(found[before], faces, between, seconds[before : index + 1], search)
            between = []
        found.append(faces)
        before = index
    return found


def _fill(
    first: Faces,
    last: Faces,
    between: Sequence[np.ndarray],
    seconds: Sequence[float],
    search: Callable[[np.ndarray], Faces],
) -> list[Faces]:
    """Faces of the frames between two searched ones, whose times come first and last in ``seconds``."""
    if not between:
        return []
    order = _same_faces(first, last)
    if order is not None:
        shares = np.interp(seconds[1:-1], [seconds[0], seconds[-1]], [0.0, 1.0])
        return [_between(first, last, order, float(share)) for share in shares]
    middle = len(between) // 2
    faces = search(between[middle])
    before = _fill(first, faces, between[:middle], seconds[: middle + 2], search)
    return [*before, faces, *_fill(faces, last, between[middle + 1 :], seconds[middle + 1 :], search)]


def _same_faces(first: Faces, second: Faces) -> np.ndarray | None:
    """Finds every face of ``first`` in ``second``; None if these are not the same faces."""
    if len(first.boxes) != len(second.boxes):
        return None
    overlap = iou(first.boxes[:, None], second.boxes[None])  # (n, n)
    rows, columns = scipy.optimize.linear_sum_assignment(-overlap)
    return columns if (overlap[rows, columns] >= _SAME_FACE_IOU).all() else None


def _between(first: Faces, second: Faces, order: np.ndarray, share: float) -> Faces:
    boxes = (1 - share) * first.boxes + share * second.boxes[order]
    if first.landmarks is None or second.landmarks is None:
        return Faces(boxes)
    return Faces(boxes, (1 - share) * first.landmarks + share * second.landmarks[order])
