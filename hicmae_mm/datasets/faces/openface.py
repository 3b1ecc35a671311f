"""Pictures that OpenFace has cut out and aligned, taken over."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.faces.base import BaseFaceCropper, CropOptions, require_faces, summarize, write_picture
from hicmae_mm.datasets.faces.number_table import read_numbers
from hicmae_mm.datasets.faces.selection import nearest_found
from hicmae_mm.datasets.readers.video import read_image
from hicmae_mm.datasets.writers import write_content
from hicmae_mm.registry import FACE_CROPPERS

ALIGNED_SUFFIX = '_aligned'
_LAST_FRAME = 10**7  # more than a day at 100 frames a second: a mistake
_PICTURE = re.compile(r'frame_det_(\d+)_(\d+)\.(?:bmp|jpg|jpeg|png)', re.IGNORECASE)


@FACE_CROPPERS.register_module()
class OpenFace(BaseFaceCropper):
    """Reads the output of OpenFace (Baltrusaitis et al., 2018): ``clip_aligned/frame_det_00_000001.bmp``, ``clip.csv``.

    The CSV file says of every frame whether the face was tracked (column ``success``); its column names may have
    spaces around them. If there are several faces, the one with the most pictures is taken. Without the file,
    the pictures can only be kept as they are. JPEG pictures of the right size are copied, others are encoded.

    Args:
        min_confidence: Frames whose ``confidence`` is lower count as not tracked.
    """

    default_size = None
    default_missing = 'keep'
    reads = 'openface'

    def __init__(self, min_confidence: float = 0.0) -> None:
        if not 0 <= min_confidence <= 1:
            raise ValueError(f'min_confidence must be in 0..1, got {min_confidence}')
        self.min_confidence = min_confidence

    def resolve(self, options: CropOptions) -> CropOptions:
        """See :class:`BaseFaceCropper`."""
        if options.margin:
            raise ValueError(f'the pictures of OpenFace are cut out already; margin must be 0, got {options.margin}')
        return super().resolve(options)

    def extract(self, source: Path, name: str, options: CropOptions, out_dir: Path) -> dict[str, Any]:  # noqa: ARG002
        """See :class:`BaseFaceCropper`. ``source`` is the folder of pictures."""
        face, pictures, num_several = find_pictures(source)
        csv_file = source.with_name(f'{source.name.removesuffix(ALIGNED_SUFFIX)}.csv')
        tracked = read_success(csv_file, face, self.min_confidence) if csv_file.is_file() else None
        if tracked is None and options.missing != 'keep':
            raise MediaError(f'{csv_file} is missing, which tells the tracked frames; only missing=keep needs none')
        last = max(*pictures, *(tracked or ()))
        has_picture = np.array([number in pictures for number in range(1, last + 1)])
        found = has_picture
        if tracked is not None:
            found = np.array([bool(tracked.get(number)) for number in range(1, last + 1)])
            require_faces(source, found, options)
        plan = plan_pictures(found & has_picture, has_picture, options)
        if not plan:
            raise MediaError(f'{source}: none of the tracked frames has a picture')
        out_dir.mkdir()
        for number, origin in plan.items():
            _copy_or_encode(pictures[origin], out_dir, number, options)
        summary = summarize(found, len(plan), num_several)
        return summary if tracked is not None else summary | dict(face_frames=None, face_share=None)


def plan_pictures(is_good: np.ndarray, has_picture: np.ndarray, options: CropOptions) -> dict[int, int]:
    """Chooses the picture of each frame by the policy for missing faces.

    Args:
        is_good: ``(T,)`` bool, tracked and with a picture.
        has_picture: ``(T,)`` bool, True where the frame has a picture.
        options: ``missing`` is used.

    Returns:
        Frame number -> number of the picture, both from 1.
    """
    if options.missing == 'keep':
        return {int(t) + 1: int(t) + 1 for t in np.flatnonzero(has_picture)}
    if not is_good.any():
        return {}
    if options.missing == 'skip':
        return {int(t) + 1: int(t) + 1 for t in np.flatnonzero(is_good)}
    return {t + 1: int(origin) + 1 for t, origin in enumerate(nearest_found(is_good))}


def find_pictures(folder: Path) -> tuple[int, dict[int, Path], int]:
    """Finds the face with the most pictures: (number, frame number -> file, frames with several faces).

    Raises:
        MediaError: If there are none.
    """
    faces: dict[int, dict[int, Path]] = defaultdict(dict)
    for path in sorted(folder.iterdir()):
        match = _PICTURE.fullmatch(path.name)
        if match:
            faces[int(match[1])][int(match[2])] = path
    if not faces:
        raise MediaError(f'{folder}: no pictures named as by OpenFace, frame_det_00_000001.bmp')
    face = min(faces, key=lambda number: (-len(faces[number]), number))
    count = Counter(frame for pictures in faces.values() for frame in pictures)
    return face, faces[face], sum(number > 1 for number in count.values())


def read_success(path: Path, face: int, min_confidence: float) -> dict[int, bool]:
    """Reads in which frames the face was tracked: frame number (from 1) -> success.

    Raises:
        MediaError: If a column is missing or a value is not a number.
    """
    tracked: dict[int, bool] = {}
    for number, row in read_numbers(path, ('frame', 'success'), ('confidence', 'face_id')):
        frame, is_tracked = int(row['frame']), row['success'] > 0
        is_tracked = is_tracked and row.get('confidence', 1) >= min_confidence
        is_other = 'face_id' in row and int(row['face_id']) != face
        if not 1 <= frame <= _LAST_FRAME:
            raise MediaError(f'{path}, line {number}: frames are numbered from 1, got {frame}')
        tracked[frame] = tracked.get(frame, False) or (is_tracked and not is_other)
    return tracked


def _copy_or_encode(picture: Path, out_dir: Path, number: int, options: CropOptions) -> None:
    image = read_image(picture)
    size = (options.size, options.size) if options.size else image.shape[:2]
    if image.shape[:2] == size and picture.suffix.lower() in ('.jpg', '.jpeg'):
        write_content(out_dir / f'{number:05d}.jpg', picture.read_bytes())
        return
    if image.shape[:2] != size:
        shrinks = size[0] < image.shape[0]
        image = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    write_picture(out_dir, number, image, options.jpeg_quality)
