"""People over time: boxes of following frames become tracks, and one person's tracks are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import scipy

from hicmae_mm.datasets.faces.boxes import iou

MAX_GAP_SECONDS = 1.05
"""A face may go unseen for so long and still be the same track."""
_SAME_FACE_IOU = 0.3
_MOST_SIZE_RATIO = 1.6  # of one face before and after a gap
_REACH = (0.5, 0.4)  # distance to the next box without overlap: a share of the size, and more per second
_SPEED_SECONDS = 0.3  # speed is measured over so long, and trusted for so long
_STILL_SHARE = 0.02  # of its size: a face that keeps its place so well for so many frames is a picture of one
_STILL_FRAMES = 25
_STILL_WEIGHT = 0.25
_LEAST_SIZE_RATIO = 0.5  # of a track that follows the main one


@dataclass
class Track:
    """Stores one face over time.

    Attributes:
        frames: Indices of the frames that show the face, in ascending order.
        places: Index of the box within each frame.
        boxes: ``(4,)`` of each.
        seconds: Time of each frame.
    """

    frames: list[int] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    boxes: list[np.ndarray] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def add(self, frame: int, place: int, box: np.ndarray, seconds: float) -> None:
        """Goes on with a box."""
        self.frames.append(frame)
        self.places.append(place)
        self.boxes.append(box)
        self.seconds.append(seconds)

    def expected_box(self, seconds: float) -> np.ndarray:
        """Predicts the box at a later moment, as if the face kept its speed for a short while."""
        last = self.boxes[-1]
        recent = [at for at, when in enumerate(self.seconds) if self.seconds[-1] - when <= _SPEED_SECONDS]
        elapsed = self.seconds[-1] - self.seconds[recent[0]]
        if elapsed <= 0:
            return last
        speed = (last[:2] - self.boxes[recent[0]][:2]) / elapsed
        return np.concatenate([last[:2] + speed * min(seconds - self.seconds[-1], _SPEED_SECONDS), last[2:]])

    @property
    def side(self) -> float:
        """Returns the mean of the boxes' longer sides (pixels)."""
        return float(np.stack(self.boxes)[:, 2:].max(axis=1).mean())

    def weight(self) -> float:
        """Scores how likely this is the person of the clip: visible for long, large, and moving."""
        is_still = len(self.frames) >= _STILL_FRAMES and self._spread() < _STILL_SHARE
        return len(self.frames) * float(np.sqrt(self.side)) * (_STILL_WEIGHT if is_still else 1.0)

    def _spread(self) -> float:
        boxes = np.stack(self.boxes)
        middles = boxes[:, :2] + boxes[:, 2:] / 2
        low, high = np.quantile(middles, [0.05, 0.95], axis=0)
        return float((high - low).max()) / self.side

    def shares_frame_with(self, other: Track) -> bool:
        """Tells whether both are visible in some frame."""
        return not set(self.frames).isdisjoint(other.frames)


def link_tracks(boxes: Sequence[np.ndarray], seconds: Sequence[float]) -> list[Track]:
    """Links boxes from frame to frame, by overlap with where a face is expected, and by size where it was unseen.

    Args:
        boxes: ``(n_t, 4)`` of every frame.
        seconds: Time at which each frame is shown.
    """
    tracks: list[Track] = []
    recent: list[Track] = []
    for frame, (candidates, now) in enumerate(zip(boxes, seconds, strict=True)):
        if len(candidates) == 0:
            continue
        recent = [track for track in recent if now - track.seconds[-1] <= MAX_GAP_SECONDS]
        unlinked = set(range(len(candidates)))
        if recent:
            likeness = np.stack([_likeness(track, candidates, now) for track in recent])  # (tracks, n_t)
            for row, column in zip(*scipy.optimize.linear_sum_assignment(-likeness)):
                if likeness[row, column] > 0:
                    recent[row].add(frame, int(column), candidates[column], now)
                    unlinked.remove(int(column))
        for column in sorted(unlinked):
            track = Track()
            track.add(frame, column, candidates[column], now)
            tracks.append(track)
            recent.append(track)
    return tracks


def _likeness(track: Track, candidates: np.ndarray, seconds: float) -> np.ndarray:
    """Scores how well boxes ``(n, 4)`` continue a track: their overlap, less for boxes that are only near, else 0."""
    expected, last = track.expected_box(seconds), track.boxes[-1]
    overlap = np.maximum(iou(expected, candidates), 0.9 * iou(last, candidates))
    sides, side = candidates[:, 2:].max(axis=1), last[2:].max()
    ratio = np.maximum(sides / side, side / sides)
    reach = side * (_REACH[0] + _REACH[1] * (seconds - track.seconds[-1]))
    middles = candidates[:, :2] + candidates[:, 2:] / 2
    distance = np.min([np.linalg.norm(box[:2] + box[2:] / 2 - middles, axis=1) for box in (expected, last)], axis=0)
    is_near = (distance < reach) & (ratio < _MOST_SIZE_RATIO)
    near = np.where(is_near, _SAME_FACE_IOU * (1 - distance / reach), 0.0)
    return np.where((overlap >= _SAME_FACE_IOU) & (ratio < 2 * _MOST_SIZE_RATIO), overlap / ratio**0.5, near)


def join_tracks(tracks: Sequence[Track]) -> list[Track]:
    """Joins tracks of a face that was away for longer and came back to about the same place, at the same size.

    Args:
        tracks: Tracks in the order of their first frames.
    """
    joined: list[Track] = []
    for track in tracks:
        ended = [other for other in joined if other.frames[-1] < track.frames[0]]
        fitting = [other for other in ended if _is_same_face_later(other.boxes[-1], track.boxes[0])]
        if not fitting:
            joined.append(Track(*(list(values) for values in vars(track).values())))
            continue
        latest = max(fitting, key=lambda other: other.frames[-1])
        for values, more in zip(vars(latest).values(), vars(track).values(), strict=True):
            values += more
    return joined


def _is_same_face_later(last: np.ndarray, first: np.ndarray) -> bool:
    side, other = last[2:].max(), first[2:].max()
    distance = np.linalg.norm(last[:2] + last[2:] / 2 - first[:2] - first[2:] / 2)
    return bool(distance < _REACH[0] * side and max(side / other, other / side) < _MOST_SIZE_RATIO)


def one_person(tracks: Sequence[Track], weights: Sequence[float], num_frames: int) -> np.ndarray:
    """Returns the index of the box of the person in each frame, ``(num_frames,)`` int; -1 if there is none.

    The track of the greatest weight is the person's. Others follow it, at times at which it is not there (after a cut,
    or a long look away): those that are about as large, and never there together with one that was chosen. So nobody
    who stands beside the person, and no picture on the wall, takes its place.

    Args:
        tracks: Tracks of all people.
        weights: Weight of each track.
        num_frames: Number of frames of the clip.
    """
    chosen: list[Track] = []
    rejected: list[Track] = []
    for number in np.argsort(-np.asarray(weights), kind='stable'):
        track = tracks[number]
        is_beside = any(track.shares_frame_with(other) for other in chosen)
        if is_beside or any(_share_place(track, other) for other in rejected):
            rejected.append(track)
        elif not chosen or track.side >= _LEAST_SIZE_RATIO * chosen[0].side:
            chosen.append(track)
    places = np.full(num_frames, -1)
    for track in chosen:
        places[track.frames] = track.places
    return places


def _share_place(first: Track, second: Track) -> bool:
    middle = [np.median(np.stack(track.boxes), axis=0) for track in (first, second)]
    return bool(iou(*middle) >= _SAME_FACE_IOU)
