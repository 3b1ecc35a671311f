"""The face of a clip, found and cut out in those frames that windows use, as the preparation of corpora does it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.apis.media import OpenClip
from hicmae_mm.datasets.faces import BaseFaceCropper, CropOptions, Faces, FrameDetector, LocatingCropper
from hicmae_mm.datasets.faces.alignment import cut_out
from hicmae_mm.datasets.faces.base import plan_transforms
from hicmae_mm.datasets.faces.selection import FaceTrack, choose_faces
from hicmae_mm.datasets.preparation.clip import Clip
from hicmae_mm.registry import FACE_CROPPERS
from hicmae_mm.utils.config_checks import check_component

AUTO = 'auto'
AUTO_CROPPER = 'YuNet'
LARGEST_CROP = 256  # side of the pictures that the croppers of this package write (pixels)


@dataclass(frozen=True)
class FaceOptions:
    """How faces are found.

    Attributes:
        cropper: None takes the pictures as they are.
        is_auto: Takes square pictures of at most :data:`LARGEST_CROP` pixels as they are: they are face crops.
        crop: How they are cut out, resolved for the cropper.
        min_coverage: Share of a window's frames with a face, below which the window has none.
    """

    cropper: LocatingCropper | None
    is_auto: bool
    crop: CropOptions
    min_coverage: float


def build_face_options(
    face_cropper: str | Mapping | BaseFaceCropper | None, crop_options: CropOptions | None, min_coverage: float
) -> FaceOptions:
    """Makes the options of what a user says.

    Args:
        face_cropper: ``'auto'``; the name of a component of ``FACE_CROPPERS``, its config (whose type may be
            ``'auto'``, too), or a built one; or None.
        crop_options: None: of several faces the one that is seen most, else the cropper's defaults.
        min_coverage: See :class:`FaceOptions`.

    Raises:
        FileNotFoundError: If a file that the cropper needs is not there.
        ValueError: If there is no such cropper or option, it takes only the output of another
            program, or the coverage is not in 0..1.
        TypeError: If it is none of these.
    """
    if not 0 <= min_coverage <= 1:
        raise ValueError(f'min_face_coverage must be in 0..1, got {min_coverage}')
    crop = crop_options or CropOptions(several='track')
    if face_cropper is None:
        return FaceOptions(None, False, crop, min_coverage)
    is_auto = False
    if isinstance(face_cropper, BaseFaceCropper):
        cropper: object = face_cropper
    elif isinstance(face_cropper, (str, Mapping)):
        cfg = dict(type=face_cropper) if isinstance(face_cropper, str) else dict(face_cropper)
        is_auto = cfg.get('type') == AUTO
        cropper = _build_cropper(cfg | dict(type=AUTO_CROPPER) if is_auto else cfg)
    else:
        raise TypeError(f'face_cropper must be a name, a config, a face cropper or None, got {face_cropper!r}')
    if not isinstance(cropper, LocatingCropper):
        raise ValueError(f'{type(cropper).__name__} takes over the output of another program and finds no faces itself')
    return FaceOptions(cropper, is_auto, cropper.resolve(crop), min_coverage)


def _build_cropper(cfg: dict[str, Any]) -> object:
    FACE_CROPPERS.import_from_location()
    if isinstance(cfg.get('type'), str) and cfg['type'] not in FACE_CROPPERS.module_dict:
        known = sorted(FACE_CROPPERS.module_dict)
        raise ValueError(f"face_cropper must be 'auto', None or one of {known}, got {cfg['type']!r}")
    check_component('face_cropper', cfg, FACE_CROPPERS)
    return FACE_CROPPERS.build(cfg)


class HeldClip(Clip):
    """Frames in memory, in the form that croppers read.

    Args:
        frames: ``(H, W, 3)`` uint8 RGB each, at least one.
        name: Of the clip.
    """

    def __init__(self, frames: Sequence[np.ndarray], name: str) -> None:
        self.path, self.name = Path(name), name
        self.num_frames = len(frames)
        self.height, self.width = frames[0].shape[:2]
        self._frames = frames

    def frames(self) -> Iterator[np.ndarray]:
        """See :class:`~hicmae_mm.datasets.preparation.clip.Clip`."""
        yield from self._frames


@dataclass(frozen=True)
class FacePictures:
    """Faces of a window.

    Attributes:
        pictures: ``(H, W, 3)`` uint8 RGB of each frame; empty where the window counts as one without a face.
        coverage: Share of frames with a face; None without a search.
    """

    pictures: list[np.ndarray]
    coverage: float | None


class FaceFinder:
    """Finds the face in the frames of one clip; each frame is searched once.

    Args:
        clip: The clip.
        options: How.

    Attributes:
        boxes: ``(x, y, width, height)`` in pixels by frame, None without a face, of every frame that was looked at.
    """

    def __init__(self, clip: OpenClip, options: FaceOptions) -> None:
        self._clip, self._options = clip, options
        self._cropper: LocatingCropper | None = options.cropper
        self._faces: dict[int, Faces] = {}
        self._located: list[Faces] | None = None
        self._is_decided = not options.is_auto
        self.boxes: dict[int, tuple[float, ...] | None] = {}

    @property
    def is_searching(self) -> bool:
        """Whether faces are looked for, as far as is known."""
        return self._cropper is not None

    def cut(self, indices: Sequence[int], frames: Sequence[np.ndarray]) -> FacePictures:
        """Cuts the face out of frames, ascending; ``indices`` of the file."""
        height, width = frames[0].shape[:2]
        if not self._is_decided:
            self._is_decided = True
            if height == width and height <= LARGEST_CROP:
                self._cropper = None
        if self._cropper is None:
            return FacePictures(list(frames), None)
        crop = self._options.crop
        track = choose_faces(self._locate(self._cropper, indices, frames), height, width, crop.several or 'track')
        for index, found, box in zip(indices, track.found, track.boxes, strict=True):
            self.boxes.setdefault(index, tuple(round(float(edge), 1) for edge in box) if found else None)
        coverage = float(track.found.mean())
        if coverage == 0 or coverage < self._options.min_coverage:
            return FacePictures([], coverage)
        return FacePictures(_cut(indices, frames, track, crop), coverage)

    def _locate(self, cropper: LocatingCropper, indices: Sequence[int], frames: Sequence[np.ndarray]) -> list[Faces]:
        if not isinstance(cropper, FrameDetector):
            if self._located is None:
                self._located = self._locate_all(cropper)
            return [self._located[index] for index in indices]
        new = [place for place, index in enumerate(indices) if index not in self._faces]
        if new:
            found = cropper.locate(HeldClip([frames[place] for place in new], self._clip.clip.name))
            self._faces.update(zip((indices[place] for place in new), found, strict=True))
        return [self._faces[index] for index in indices]

    def _locate_all(self, cropper: LocatingCropper) -> list[Faces]:
        """Faces of every frame of the clip, for croppers that look at it as a whole."""
        video, name = self._clip.clip.video, self._clip.clip.name
        if isinstance(video, np.ndarray):
            return cropper.locate(HeldClip(list(video), name))
        assert video is not None
        with Clip(video, Path(name).stem, frame_folder_fps=self._clip.clip.fps) as clip:
            return cropper.locate(clip)


def _cut(indices: Sequence[int], frames: Sequence[np.ndarray], track: FaceTrack, crop: CropOptions) -> list[np.ndarray]:
    """Faces of a track; smoothing spans as many frames of the file as it does in the preparation of corpora."""
    distance = float(np.median(np.diff(indices))) if len(indices) > 1 else 1.0
    half = int(crop.smoothing_window // 2 / max(distance, 1.0))
    transforms = plan_transforms(track, replace(crop, smoothing_window=2 * half + 1))
    return [cut_out(frame, matrix, crop.size or len(frame)) for frame, matrix in zip(frames, transforms, strict=True)]
