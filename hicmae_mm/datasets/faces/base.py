"""Defines the contract of face croppers, and the part that all croppers of raw video share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces.alignment import box_transforms, cut_out, landmark_transforms
from hicmae_mm.datasets.faces.boxes import Faces
from hicmae_mm.datasets.faces.selection import SEVERAL_POLICIES, FaceTrack, choose_faces, fill_gaps
from hicmae_mm.datasets.faces.smoothing import SMOOTHING_METHODS, smooth
from hicmae_mm.datasets.faces.sparse_search import search_sparsely
from hicmae_mm.datasets.faces.speaker import clip_loudness, speaker_weights
from hicmae_mm.datasets.readers.source_clip import Clip
from hicmae_mm.datasets.writers import write_content

MISSING_POLICIES = ('nearest', 'skip', 'fail', 'keep')


@dataclass(frozen=True)
class CropOptions:
    """Describes how faces are cut out, whoever finds them. None means the cropper's own default.

    Attributes:
        size: Height and width of the pictures (pixels).
        margin: Room on each side, as a share of the face box's longer side.
        several: Choice among several faces, see :func:`~hicmae_mm.datasets.faces.selection.choose_faces`:
            ``'largest'``, ``'most_central'``, ``'track'``, one person through the clip, or ``'speaker'``, the one who
            speaks.
        missing: Frames without a face: ``'nearest'`` takes the box of the nearest frame that has one, ``'skip'``
            leaves the frame out, ``'fail'`` fails the clip, ``'keep'`` (OpenFace only) takes the tracker's picture.
        min_face_share: Share of frames with a face below which the clip fails; without any it always does.
        smoothing: Smoothing of the boxes over time: ``'moving_average'``, ``'savgol'`` or ``'none'``.
        smoothing_window: Length of the smoothing window in frames. It must be odd.
        jpeg_quality: Quality of the JPEG files, 1 to 100.
    """

    size: int | None = None
    margin: float | None = None
    several: str | None = None
    missing: str | None = None
    min_face_share: float = 0.0
    smoothing: str = 'moving_average'
    smoothing_window: int = 5
    jpeg_quality: int = 95

    def __post_init__(self) -> None:
        _require_choice('smoothing', self.smoothing, SMOOTHING_METHODS)
        if self.several is not None:
            _require_choice('several', self.several, SEVERAL_POLICIES)
        if self.missing is not None:
            _require_choice('missing', self.missing, MISSING_POLICIES)
        if self.size is not None and self.size < 8:
            raise ValueError(f'size must be at least 8, got {self.size}')
        if self.margin is not None and not -0.4 <= self.margin <= 10:
            raise ValueError(f'margin must be in -0.4..10, got {self.margin}')
        if self.smoothing_window < 1 or self.smoothing_window % 2 == 0:
            raise ValueError(f'smoothing_window must be odd and at least 1, got {self.smoothing_window}')
        if not 0 <= self.min_face_share <= 1:
            raise ValueError(f'min_face_share must be in 0..1, got {self.min_face_share}')
        if not 1 <= self.jpeg_quality <= 100:
            raise ValueError(f'jpeg_quality must be in 1..100, got {self.jpeg_quality}')


def _require_choice(name: str, value: str, choices: Sequence[str]) -> None:
    if value not in choices:
        raise ValueError(f'{name} must be one of {choices}, got {value!r}')


class BaseFaceCropper(ABC):
    """Turns a clip into a folder of face pictures ``00001.jpg``, ``00002.jpg``, ..., numbered as the clip's frames.

    Attributes:
        default_size: Size of the pictures in pixels. None keeps the size of each crop.
        default_margin: See :class:`CropOptions`.
        default_several: See :class:`CropOptions`.
        default_missing: See :class:`CropOptions`.
        reads: Form of a clip: ``'video'`` (a file, or a folder of frames) or ``'openface'`` (an OpenFace output).
    """

    default_size: ClassVar[int | None] = 256
    default_margin: ClassVar[float] = 0.0
    default_several: ClassVar[str] = 'largest'
    default_missing: ClassVar[str] = 'nearest'
    reads: ClassVar[str] = 'video'

    def resolve(self, options: CropOptions) -> CropOptions:
        """Fills in this cropper's defaults.

        Raises:
            ValueError: If the cropper cannot do what an option asks for.
        """
        return replace(
            options,
            size=self.default_size if options.size is None else options.size,
            margin=self.default_margin if options.margin is None else options.margin,
            several=self.default_several if options.several is None else options.several,
            missing=self.default_missing if options.missing is None else options.missing,
        )

    @abstractmethod
    def extract(self, source: Path, name: str, options: CropOptions, out_dir: Path) -> dict[str, Any]:
        """Makes the folder of a clip's face pictures.

        Args:
            source: The clip.
            name: Its path relative to the data set's folder, without extension.
            options: Resolved, see :meth:`resolve`.
            out_dir: Folder to make.

        Returns:
            ``frames`` of the clip, ``pictures`` written, ``face_frames`` and ``face_share`` (None if unknown), and
            ``several_faces``: frames with more than one.

        Raises:
            MediaError: If the clip is broken, or has no face, or too few by the options.
        """


class LocatingCropper(BaseFaceCropper):
    """This is the base class of croppers that locate faces. It chooses, fills, smooths and cuts."""

    @abstractmethod
    def locate(self, clip: Clip) -> list[Faces]:
        """Finds the faces of every frame, ``clip.num_frames`` of them."""

    def resolve(self, options: CropOptions) -> CropOptions:
        """See :class:`BaseFaceCropper`."""
        if options.missing == 'keep':
            raise ValueError(f"missing='keep' needs pictures of a tracker; {type(self).__name__} has none to keep")
        return super().resolve(options)

    def extract(self, source: Path, name: str, options: CropOptions, out_dir: Path) -> dict[str, Any]:
        """See :class:`BaseFaceCropper`."""
        with Clip(source, name) as clip:
            track = self._choose(clip, options.several or self.default_several)
            require_faces(source, track.found, options)
            transforms = plan_transforms(track, options)
            is_kept = track.found if options.missing == 'skip' else np.ones_like(track.found)
            out_dir.mkdir()
            for index, frame in enumerate(clip.frames()):
                if is_kept[index]:
                    picture = cut_out(frame, transforms[index], options.size or clip.height)
                    write_picture(out_dir, index + 1, picture, options.jpeg_quality)
        return summarize(track.found, int(is_kept.sum()), track.num_several)

    def _choose(self, clip: Clip, policy: str) -> FaceTrack:
        faces, seconds = self.locate(clip), clip.moments()
        loudness = clip_loudness(clip.path, seconds) if policy == 'speaker' else None
        weigh = None
        if loudness is not None:
            weigh = partial(speaker_weights, faces=faces, frames=clip.frames(), loudness=loudness)
        return choose_faces(faces, clip.height, clip.width, policy, seconds, weigh)


class FrameDetector(LocatingCropper):
    """This is the base class of croppers that look at one frame after the other.

    Args:
        max_side: Frames are shrunk for the search until their longer side has this length (pixels).
        search_seconds: Time from one searched frame to the next; faces between them are interpolated, see
            :func:`~hicmae_mm.datasets.faces.sparse_search.search_sparsely`. 0 searches every frame.
    """

    def __init__(self, max_side: int = 640, search_seconds: float = 0.0) -> None:
        if max_side < 32:
            raise ValueError(f'max_side must be at least 32, got {max_side}')
        if not 0 <= search_seconds <= 1:
            raise ValueError(f'search_seconds must be in 0..1, got {search_seconds}')
        self.max_side, self.search_seconds = max_side, search_seconds

    @abstractmethod
    def detect(self, frame: np.ndarray) -> Faces:
        """Finds the faces of a frame ``(H, W, 3)`` uint8 RGB."""

    def locate(self, clip: Clip) -> list[Faces]:
        """See :class:`LocatingCropper`."""
        return self.locate_at(clip.frames(), clip.moments())

    def locate_at(self, frames: Iterable[np.ndarray], seconds: Sequence[float]) -> list[Faces]:
        """Finds the faces of frames ``(H, W, 3)`` uint8 RGB, which are shown at these moments."""
        return search_sparsely(frames, seconds, self._detect_shrunken, self.search_seconds)

    def _detect_shrunken(self, frame: np.ndarray) -> Faces:
        height, width = frame.shape[:2]
        shrink = min(1.0, self.max_side / max(height, width))
        if shrink == 1:
            return self.detect(frame)
        size = max(1, round(width * shrink)), max(1, round(height * shrink))
        faces = self.detect(cv2.resize(frame, size, interpolation=cv2.INTER_AREA))
        scale = np.array([width / size[0], height / size[1]])
        landmarks = None if faces.landmarks is None else faces.landmarks * scale
        return Faces(faces.boxes * np.tile(scale, 2), landmarks)


def require_faces(source: Path, found: np.ndarray, options: CropOptions) -> None:
    """Raises MediaError where a clip's faces, ``(T,)`` bool, are fewer than the options ask for."""
    num_frames, num_found = len(found), int(found.sum())
    if num_found == 0:
        raise MediaError(f'{source}: no face in any of {num_frames} frames')
    if options.missing == 'fail' and num_found < num_frames:
        first = int(np.argmin(found)) + 1
        raise MediaError(f'{source}: no face in {num_frames - num_found} of {num_frames} frames, first in {first}')
    if num_found / num_frames < options.min_face_share:
        raise MediaError(
            f'{source}: a face in {num_found} of {num_frames} frames, fewer than the share of {options.min_face_share}'
        )


def plan_transforms(track: FaceTrack, options: CropOptions) -> np.ndarray:
    """Transforms of every frame, ``(T, 2, 3)``: gaps filled, smoothed, by landmarks where there are any."""
    track = fill_gaps(track)
    margin, size = options.margin or 0.0, options.size or 0
    values = track.boxes if track.landmarks is None else track.landmarks
    values = smooth(values, track.boxes, options.smoothing, options.smoothing_window)
    if track.landmarks is None:
        return box_transforms(values, margin, size)
    return landmark_transforms(values, margin, size)


def write_picture(folder: Path, number: int, picture: np.ndarray, quality: int) -> None:
    """Writes a picture ``(H, W, 3)`` uint8 RGB as ``{number:05d}.jpg``; the same picture gives the same bytes."""
    is_encoded, data = cv2.imencode('.jpg', picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not is_encoded:
        raise ValueError(f'a picture of shape {picture.shape} cannot be written as JPEG')
    write_content(folder / f'{number:05d}.jpg', data.tobytes())


def summarize(found: np.ndarray, num_pictures: int, num_several: int) -> dict[str, Any]:
    """Builds the result of :meth:`BaseFaceCropper.extract`."""
    return dict(
        frames=len(found),
        pictures=num_pictures,
        face_frames=int(found.sum()),
        face_share=round(float(found.mean()), 4),
        several_faces=num_several,
    )
