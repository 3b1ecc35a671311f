"""Random access to the frames of a video file or of a folder of pictures.

A reader decodes each requested frame once. Readers use one thread, because the workers of a data loader already run in
parallel.
"""

from __future__ import annotations

import importlib.util
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.decord_video import DecordReader
from hicmae_mm.datasets.readers.folders import IMAGE_SUFFIXES, picture_files
from hicmae_mm.datasets.readers.picture_size import picture_size
from hicmae_mm.datasets.readers.pyav_video import PyAVReader
from hicmae_mm.datasets.stand_ins import HEAD_BYTES, stand_in

__all__ = [
    'BACKENDS',
    'DecordReader',
    'FrameFolderReader',
    'PyAVReader',
    'VideoReader',
    'decode_image',
    'open_video',
    'read_image',
]

BACKENDS = ('decord', 'pyav')
_LARGEST_PICTURE = 2**25  # pixels, as in 8K video; a header that declares more is damaged or hostile
_LARGEST_PICTURE_BYTES = 2**28


class VideoReader(Protocol):
    """Declares the interface of a video reader, as the transforms use it.

    Attributes:
        num_frames: Number of frames n, at least 1.
        fps: Frames per second; None if they are not known.
    """

    num_frames: int
    fps: float | None

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Decodes frames.

        Args:
            indices: Frame indices, ascending and without repetition.

        Returns:
            The frames, ``(len(indices), H, W, 3)`` uint8 RGB.

        Raises:
            MediaError: If a frame cannot be decoded.
        """

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """Returns the start and the end of a frame in seconds, on the clock of the file.

        The clock starts with the first picture or the first sample of the file, whichever is earlier. Times of pictures
        and times of sound from one file can therefore be compared.
        """

    def close(self) -> None:
        """Closes the file."""


def open_video(path: str | Path, backend: str | None = None, frame_folder_fps: float | None = None) -> VideoReader:
    """Opens a video file, or a folder of numbered frames.

    Args:
        path: Video file, or folder of pictures.
        backend: ``'pyav'`` (also the meaning of None) decodes every file format exactly. ``'decord'`` uses decord,
            if it is installed, for plain H.264 mp4 files, which it decodes exactly, and PyAV for all other files.
        frame_folder_fps: Frame rate of a folder of pictures. Only the time stamps of a folder need it.

    Returns:
        The opened reader.

    Raises:
        FileNotFoundError: If there is nothing at ``path``.
        MediaError: If the file is truncated, unreadable or without pictures.
        ValueError: If the backend is not known.
    """
    if backend is not None and backend not in BACKENDS:
        raise ValueError(f'backend must be one of {BACKENDS} or None, got {backend!r}')
    path = Path(path)
    if path.is_dir():
        return FrameFolderReader(path, frame_folder_fps)
    reader = PyAVReader(path)
    if backend != 'decord' or importlib.util.find_spec('decord') is None or not DecordReader.serves(reader):
        return reader
    try:
        return DecordReader(path, reader)
    except MediaError:
        return reader


class FrameFolderReader:
    """Reads a folder of numbered pictures, in the numeric order of their names (``2.jpg`` before ``10.jpg``).

    Args:
        path: The folder.
        fps: Frames per second; None if they are not known.

    Attributes:
        files: The pictures in that order.

    Raises:
        MediaError: If the folder has no pictures.
    """

    def __init__(self, path: Path, fps: float | None = None) -> None:
        self.path = path
        self.fps = fps
        self.files = picture_files(path)
        self.num_frames = len(self.files)
        if self.num_frames == 0:
            raise MediaError(f'{path}: the folder has no frames, expected files ending in {sorted(IMAGE_SUFFIXES)}')

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`VideoReader`."""
        first = read_image(self.files[indices[0]])
        frames = np.empty((len(indices), *first.shape), dtype=np.uint8)
        frames[0] = first
        for slot, index in enumerate(indices[1:], start=1):
            frame = read_image(self.files[index])
            if frame.shape != first.shape:
                raise MediaError(
                    f'{self.files[index]}: frame of {frame.shape[:2]}, others of its folder have {first.shape[:2]}'
                )
            frames[slot] = frame
        return frames

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`VideoReader`."""
        if self.fps is None:
            raise ValueError(
                f'{self.path}: a folder of frames has no time stamps; give OpenVideo frame_folder_fps, '
                "or use audio_alignment='fraction'"
            )
        return index / self.fps, (index + 1) / self.fps

    def close(self) -> None:
        """See :class:`VideoReader`."""


def read_image(path: Path) -> np.ndarray:
    """Reads a picture as ``(H, W, 3)`` uint8 RGB.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is not a picture, if the picture is too large, or if the end of a JPEG is missing
            (decoders would fill it with grey).
    """
    status = os.stat(path)  # noqa: PTH116 (pathlib takes longer for this and for reading than for all checks)
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_PICTURE_BYTES:
        raise MediaError(f'{path}: this is not a picture file; remove it, or prepare the clip again')
    with open(path, 'rb', buffering=0) as file:  # noqa: PTH123
        return decode_image(file.readall(), path)


def decode_image(data: bytes | memoryview, name: object) -> np.ndarray:
    """Decodes a picture from memory.

    Args:
        data: The encoded picture.
        name: Name of the picture in error messages.

    Returns:
        ``(H, W, 3)`` uint8 RGB.

    Raises:
        MediaError: If there is an error as in :func:`read_image`.
    """
    encoded = bytes(data)
    is_cut = encoded[:2] == b'\xff\xd8' and encoded.rfind(b'\xff\xd9') < 0
    image, size = None, None if is_cut else picture_size(encoded)
    if size is not None:
        if size[0] * size[1] > _LARGEST_PICTURE:
            raise MediaError(
                f'{name}: a picture of {size[1]} x {size[0]} pixels, more than the {_LARGEST_PICTURE} that are read; '
                'make it smaller'
            )
        with suppress(cv2.error):
            image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        instead = stand_in(encoded[:HEAD_BYTES])
        if instead is not None:
            raise MediaError(f'{name}: {instead}')
        raise MediaError(f'{name}: the picture is {"truncated" if is_cut else "unreadable"}; convert it again')
    return image
