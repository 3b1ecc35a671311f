"""Finds who of several people speaks: the one whose mouth moves as the sound gets louder and softer."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from hicmae_mm.datasets.faces.alignment import box_transforms, cut_out, landmark_transforms
from hicmae_mm.datasets.faces.boxes import Faces
from hicmae_mm.datasets.faces.tracking import Track
from hicmae_mm.datasets.readers.audio import AlignedAudio, AudioReader, open_audio
from hicmae_mm.datasets.readers.tracks import open_container

_SIDE = 48  # of an aligned face (pixels)
_MOUTH = slice(32, 47), slice(10, 38)
_UPPER_FACE = slice(6, 24), slice(6, 42)
_SHAPE_SIZE = 12, 8  # width and height of the small picture of a mouth that its shape is told from
_NUM_COMPONENTS = 3
_FEWEST_FRAMES = 10


@dataclass(frozen=True)
class Mouth:
    """Describes the mouth of a track.

    Attributes:
        frames: ``(n,)`` int, in which it and the one before it are seen.
        movement: ``(n,)``, its change since the frame before, less that of the upper face.
        shapes: ``(n, 96)``, small pictures of it.
    """

    frames: np.ndarray
    movement: np.ndarray
    shapes: np.ndarray


def speaker_weights(
    tracks: Sequence[Track], faces: Sequence[Faces], frames: Iterable[np.ndarray], loudness: np.ndarray
) -> list[float]:
    """Scores how likely each track is the speaker: how well its mouth follows the loudness, times the reliability.

    Two correlations with the square root of the loudness are added: that of the movement, and the multiple one of the
    shape (the first principal components of the pictures of the mouth, adjusted for chance). Where the sound says
    nothing, as silence does, the tracks' own weights decide.

    Args:
        tracks: Tracks of the people.
        faces: Faces of every frame.
        frames: ``(H, W, 3)`` uint8 RGB, every one; at least ten a second, for syllables are short.
        loudness: ``(T,)``, see :func:`loudness_of`.
    """
    most, heard = max(track.weight() for track in tracks), np.sqrt(loudness)
    return [
        _likeness(mouth, heard[mouth.frames]) * float(np.sqrt(len(mouth.frames))) + 1e-3 * track.weight() / most
        for track, mouth in zip(tracks, mouths_of(tracks, faces, frames), strict=True)
    ]


def mouths_of(tracks: Sequence[Track], faces: Sequence[Faces], frames: Iterable[np.ndarray]) -> list[Mouth]:
    """Looks at the mouths of all tracks, in one pass over the frames."""
    where = [dict(zip(track.frames, track.places, strict=True)) for track in tracks]
    before: list[np.ndarray | None] = [None] * len(tracks)
    seen: list[list[tuple[int, float, np.ndarray]]] = [[] for _ in tracks]
    for index, frame in enumerate(frames):
        for number, places in enumerate(where):
            face = None if index not in places else _aligned(frame, faces[index], places[index])
            earlier, before[number] = before[number], face
            if face is not None and earlier is not None:
                change = np.abs(face - earlier)
                shape = cv2.resize(face[_MOUTH], _SHAPE_SIZE, interpolation=cv2.INTER_AREA).reshape(-1)  # (96,)
                seen[number].append((index, float(change[_MOUTH].mean() - change[_UPPER_FACE].mean()), shape))
    width = _SHAPE_SIZE[0] * _SHAPE_SIZE[1]
    return [
        Mouth(
            np.array([index for index, _, _ in entries], dtype=int),
            np.array([movement for _, movement, _ in entries]),
            np.array([shape for _, _, shape in entries]).reshape(-1, width),
        )
        for entries in seen
    ]


def _likeness(mouth: Mouth, loudness: np.ndarray) -> float:
    if len(loudness) < _FEWEST_FRAMES or loudness.std() < 1e-6:
        return 0.0
    wanted = loudness - loudness.mean()
    shapes = mouth.shapes - mouth.shapes.mean(axis=0)
    components = np.linalg.svd(shapes, full_matrices=False)[0][:, :_NUM_COMPONENTS]  # (n, 3), of mean 0
    missed = wanted - components @ (components.T @ wanted)
    share = 1 - float((missed**2).sum() / (wanted**2).sum())
    share = 1 - (1 - share) * (len(wanted) - 1) / (len(wanted) - _NUM_COMPONENTS - 1)  # less what chance explains
    moves = mouth.movement.std() > 1e-9
    by_movement = float(np.corrcoef(mouth.movement, loudness)[0, 1]) if moves else 0.0
    return float(np.sqrt(max(share, 0.0))) + max(by_movement, 0.0)


def loudness_of(audio: AudioReader, seconds: Sequence[float]) -> np.ndarray:
    """Returns the root mean square of the sound between each frame and the one before, ``(T,)``.

    Args:
        audio: Sound whose first sample is at 0 seconds.
        seconds: Times at which frames are shown.
    """
    rate = audio.sample_rate_hz
    places = [min(max(round(moment * rate), 0), audio.num_samples) for moment in seconds]
    loudness = np.zeros(len(places))
    for number, (start, stop) in enumerate(pairwise(places), start=1):
        if stop > start:
            loudness[number] = np.sqrt(np.square(audio.read(start, stop)).mean())
    return loudness


def clip_loudness(path: Path, seconds: Sequence[float]) -> np.ndarray | None:
    """Measures the loudness of a video file at its frames; None for a folder or a file without sound.

    Raises:
        MediaError: If the sound is broken.
    """
    if not path.is_file():
        return None
    with open_container(path) as container:
        if not container.streams.audio:
            return None
    audio = AlignedAudio(open_audio(path))
    try:
        return loudness_of(audio, seconds)
    finally:
        audio.close()


def _aligned(frame: np.ndarray, faces: Faces, place: int) -> np.ndarray:
    """Returns a grey face ``(48, 48)`` float32 of mean 0 and deviation 1, so that the light does not matter."""
    if faces.landmarks is not None:
        transform = landmark_transforms(faces.landmarks[place][None], 0.0, _SIDE)[0]
    else:
        transform = box_transforms(faces.boxes[place][None], 0.0, _SIDE)[0]
    grey = cv2.cvtColor(cut_out(frame, transform, _SIDE), cv2.COLOR_RGB2GRAY).astype(np.float32)
    standardized: np.ndarray = (grey - grey.mean()) / max(float(grey.std()), 1.0)
    return standardized
