"""Find and cut out the face of a clip in the frames that its windows use, as the preparation of corpora does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from hicmae_mm.config.checks import check_component
from hicmae_mm.datasets.clips.media import ForwardReader, OpenClip, origin_seconds
from hicmae_mm.datasets.faces import BaseFaceCropper, CropOptions, Faces, FrameDetector, LocatingCropper
from hicmae_mm.datasets.faces.alignment import cut_out
from hicmae_mm.datasets.faces.base import plan_transforms
from hicmae_mm.datasets.faces.selection import FaceTrack, choose_faces
from hicmae_mm.datasets.faces.speaker import clip_loudness, loudness_of, speaker_weights
from hicmae_mm.datasets.readers.source_clip import Clip
from hicmae_mm.kernels.heap import HEAP
from hicmae_mm.registry import FACE_CROPPERS

FaceCropper = str | Mapping[str, Any] | BaseFaceCropper | None
AUTO = 'auto'
AUTO_CROPPER = 'YuNet'
_HELD_BYTES = 2**28  # frames of a clip stay in memory from the search to the cutting if they are not larger
_BATCH_FRAMES = 16
LARGEST_CROP = 256  # largest side of the pictures that the croppers of this package write (pixels)


@dataclass(frozen=True)
class FaceOptions:
    """Options for finding faces.

    Attributes:
        cropper: Finds the faces. None means that pictures are used unchanged.
        is_auto: Whether square pictures of at most :data:`LARGEST_CROP` pixels count as face crops and are used
            unchanged.
        crop: Options for cutting faces out, resolved for the cropper.
        min_coverage: Smallest share of frames with a face, in 0..1. A window with a smaller share counts as a window
            without a face.
    """

    cropper: LocatingCropper | None
    is_auto: bool
    crop: CropOptions
    min_coverage: float


def build_face_options(
    face_cropper: str | Mapping[str, Any] | BaseFaceCropper | None,
    crop_options: CropOptions | None,
    min_coverage: float,
) -> FaceOptions:
    """Builds the options from the arguments of a user.

    Args:
        face_cropper: ``'auto'``, the name of a component of ``FACE_CROPPERS``, its config (its type may be ``'auto'``,
            too), a built cropper, or None.
        crop_options: Options for cutting out. None means the defaults of the cropper; if a clip shows several faces,
            the face that appears most is used.
        min_coverage: See :class:`FaceOptions`.

    Returns:
        The options.

    Raises:
        FileNotFoundError: If a file that the cropper needs does not exist.
        ValueError: If the cropper or an option does not exist, if the cropper only reads the output of another
            program, or if the coverage is not in 0..1.
        TypeError: If the cropper has another type.
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
        raise ValueError(f'{type(cropper).__name__} reads the output of another program and finds no faces itself')
    return FaceOptions(cropper, is_auto, cropper.resolve(crop), min_coverage)


def _build_cropper(cfg: dict[str, Any]) -> object:
    FACE_CROPPERS.import_from_location()
    if isinstance(cfg.get('type'), str) and cfg['type'] not in FACE_CROPPERS.module_dict:
        known = sorted(FACE_CROPPERS.module_dict)
        raise ValueError(f"face_cropper must be 'auto', None or one of {known}, got {cfg['type']!r}")
    check_component('face_cropper', cfg, FACE_CROPPERS)
    return FACE_CROPPERS.build(cfg)


@dataclass(frozen=True)
class FacePictures:
    """Faces of a window.

    Attributes:
        pictures: One ``(H, W, 3)`` uint8 RGB picture for each frame. Empty if the window counts as one without a face.
        coverage: Share of frames with a face, in 0..1. None if faces were not searched.
    """

    pictures: list[np.ndarray]
    coverage: float | None


class FaceFinder:
    """Finds one person's face in the frames of a clip.

    Args:
        clip: The clip.
        options: Options for finding faces.

    Attributes:
        boxes: ``(x, y, width, height)`` in pixels of every frame that was cut, by its index. None if the frame shows no
            face.
    """

    def __init__(self, clip: OpenClip, options: FaceOptions) -> None:
        self._clip, self._options = clip, options
        self._track: FaceTrack | None = None
        self._places: dict[int, int] = {}
        self.boxes: dict[int, tuple[float, ...] | None] = {}

    def search(self, wanted: Sequence[int]) -> ForwardReader:
        """Searches faces in frames of the file.

        Frames that fit into memory are decoded only once. To find out who speaks, every frame of the file is searched.

        Args:
            wanted: Indices of frames, in ascending order.

        Returns:
            A reader of these frames.
        """
        video = self._clip.video
        assert video is not None
        reader = ForwardReader(video, wanted)
        cropper = self._options.cropper
        if cropper is None or not wanted:
            return reader
        first = reader.get(wanted[:1])[0]
        height, width = first.shape[:2]
        if self._options.is_auto and height == width and height <= LARGEST_CROP:
            return reader
        if self._options.crop.several == 'speaker':  # finding the speaker needs consecutive frames
            wanted = range(video.num_frames)
            reader = ForwardReader(video, wanted)
        seconds = [video.frame_seconds(index)[0] for index in wanted]
        is_held = len(wanted) * first.nbytes <= _HELD_BYTES
        if isinstance(cropper, FrameDetector):
            faces = cropper.locate_at(_read_in_order(reader, wanted, is_held), seconds)
        else:
            every = self._locate_all(cropper)
            faces = [every[index] for index in wanted]
        self._track = self._choose(faces, (height, width), wanted, seconds, reader if is_held else None)
        self._places = {index: place for place, index in enumerate(wanted)}
        return reader if is_held else ForwardReader(video, wanted)

    def _choose(
        self,
        faces: list[Faces],
        size: tuple[int, int],
        wanted: Sequence[int],
        seconds: Sequence[float],
        held: ForwardReader | None,
    ) -> FaceTrack:
        policy, weigh = self._options.crop.several or 'track', None
        loudness = self._loudness(seconds) if policy == 'speaker' else None
        if loudness is not None:
            assert self._clip.video is not None
            reader = held or ForwardReader(self._clip.video, wanted)
            frames = _read_in_order(reader, wanted, held is not None)
            weigh = partial(speaker_weights, faces=faces, frames=frames, loudness=loudness)
        return choose_faces(faces, *size, policy, seconds, weigh)

    def _loudness(self, seconds: Sequence[float]) -> np.ndarray | None:
        """Measures the loudness at frames of the file, also if the model uses no sound; None without sound."""
        clip = self._clip.clip
        if self._clip.audio is not None:
            origin = origin_seconds(self._clip.video)
            return loudness_of(self._clip.audio, [moment - origin for moment in seconds])
        if isinstance(clip.sound, Path) and clip.shares_clock:
            return clip_loudness(clip.sound, seconds)
        with OpenClip(clip, ('audio',)) as opened:
            return None if opened.audio is None else loudness_of(opened.audio, seconds)

    def cut(self, indices: Sequence[int], frames: Sequence[np.ndarray]) -> FacePictures:
        """Cuts the face out of searched frames.

        Args:
            indices: Indices of the frames in the file, in ascending order.
            frames: One ``(H, W, 3)`` uint8 RGB picture for each index.

        Returns:
            The faces and the share of frames that show one.
        """
        if self._track is None:
            return FacePictures(list(frames), None)
        track = self._track.at([self._places[index] for index in indices])
        for index, found, box in zip(indices, track.found, track.boxes, strict=True):
            self.boxes[index] = tuple(round(float(edge), 1) for edge in box) if found else None
        coverage = float(track.found.mean())
        if coverage == 0 or coverage < self._options.min_coverage:
            return FacePictures([], coverage)
        return FacePictures(_cut(indices, frames, track, self._options.crop), coverage)

    def _locate_all(self, cropper: LocatingCropper) -> list[Faces]:
        """Finds the faces of every frame, for croppers that need the whole clip."""
        video, name = self._clip.clip.video, self._clip.clip.name
        if isinstance(video, np.ndarray):
            return cropper.locate(HeldClip(video, name, self._clip.clip.fps or 25.0))
        assert video is not None
        with Clip(video, Path(name).stem, frame_folder_fps=self._clip.clip.fps) as clip:
            return cropper.locate(clip)


class HeldClip(Clip):
    """Gives frames in memory to croppers, which read clips.

    Args:
        frames: ``(T, H, W, 3)`` uint8 RGB.
        name: Name of the clip.
        fps: Frames per second.
    """

    def __init__(self, frames: np.ndarray, name: str, fps: float) -> None:
        self.path, self.name, self._fps = Path(name), name, fps
        self.num_frames, self.height, self.width = frames.shape[:3]
        self._frames = frames

    def frames(self) -> Iterator[np.ndarray]:
        """See :class:`~hicmae_mm.datasets.readers.source_clip.Clip`."""
        yield from self._frames

    def moments(self) -> list[float]:
        """See :class:`~hicmae_mm.datasets.readers.source_clip.Clip`."""
        return [index / self._fps for index in range(self.num_frames)]


def _read_in_order(reader: ForwardReader, wanted: Sequence[int], is_held: bool) -> Iterator[np.ndarray]:
    for start in range(0, len(wanted), _BATCH_FRAMES):
        batch = wanted[start : start + _BATCH_FRAMES]
        yield from reader.get(batch)
        if not is_held:
            reader.release(batch)
            HEAP.trim()  # large frames among small results leave holes


def _cut(indices: Sequence[int], frames: Sequence[np.ndarray], track: FaceTrack, crop: CropOptions) -> list[np.ndarray]:
    """Cuts out the faces of a track; smoothing covers as many frames of the file as in the preparation of corpora."""
    distance = float(np.median(np.diff(indices))) if len(indices) > 1 else 1.0
    half = int(crop.smoothing_window // 2 / max(distance, 1.0))
    transforms = plan_transforms(track, replace(crop, smoothing_window=2 * half + 1))
    return [cut_out(frame, matrix, crop.size or len(frame)) for frame, matrix in zip(frames, transforms, strict=True)]
