"""Faces of every frame, where only some frames are searched: between these, faces move evenly."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from hicmae_mm.datasets.faces.boxes import Faces, iou

_SAME_FACE_IOU = 0.5  # of a face in two searched frames; what moves faster is searched in every frame
_ROUNDING_SECONDS = 1e-3  # of time stamps


def search_sparsely(
    frames: Iterable[np.ndarray],
    seconds: Sequence[float],
    search: Callable[[np.ndarray], Faces],
    distance_seconds: float,
) -> list[Faces]:
    """Searches frames that lie up to a distance apart, and the first and the last one.

    Between two searched frames that show the same faces, boxes and landmarks are interpolated. Where a face comes, goes
    or jumps, every frame in between is searched, too. No more frames are held than lie between two searched ones.

    Args:
        frames: ``(H, W, 3)`` uint8 each.
        seconds: When each of them is shown, ascending.
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
            order = _same_faces(found[before], faces)
            if order is None:
                found += [search(skipped) for skipped in between]
            else:
                shares = np.interp(seconds[before + 1 : index], [seconds[before], seconds[index]], [0.0, 1.0])
                found += [_between(found[before], faces, order, float(share)) for share in shares]
            between = []
        found.append(faces)
        before = index
    return found


def _same_faces(first: Faces, second: Faces) -> np.ndarray | None:
    """The place in ``second`` of every face of ``first``; None if they are not the same faces."""
    if len(first.boxes) != len(second.boxes):
        return None
    overlap = iou(first.boxes[:, None], second.boxes[None])  # (n, n)
    rows, columns = linear_sum_assignment(-overlap)
    return columns if (overlap[rows, columns] >= _SAME_FACE_IOU).all() else None


def _between(first: Faces, second: Faces, order: np.ndarray, share: float) -> Faces:
    boxes = (1 - share) * first.boxes + share * second.boxes[order]
    if first.landmarks is None or second.landmarks is None:
        return Faces(boxes)
    return Faces(boxes, (1 - share) * first.landmarks + share * second.landmarks[order])
