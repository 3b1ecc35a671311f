"""Random access to the frames of a video file or of a folder of pictures.

A reader decodes nothing when it is opened, and each frame that it is asked for once. Readers use one thread: data
loader workers are the parallelism.
"""

from __future__ import annotations

import importlib.util
import stat
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter

from hicmae_mm.datasets.containers import check_complete
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.folders import IMAGE_SUFFIXES, picture_files
from hicmae_mm.datasets.picture_size import picture_size

BACKENDS = ('decord', 'pyav')
_LARGEST_PICTURE = 2**25  # pixels, those of 8K video: more is an error of the header, or an attack
_LARGEST_PICTURE_BYTES = 2**28
_PADDED_ROWS = 'The size must exactly match'  # decord 0.6.0, when FFmpeg pads the rows of a frame
_UNSTAMPED_FORMATS = {'avi'}  # no presentation time stamps: FFmpeg makes them up, decord mixes up the frame order
_PYAV_SUFFIXES = {'.avi', '.webm'}  # webm as browsers record it has no length in its header, which decord wants


class VideoReader(Protocol):
    """What the transforms need of a reader.

    Attributes:
        num_frames: n, at least 1.
        fps: Frames per second, None if unknown.
    """

    num_frames: int
    fps: float | None

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Decodes frames, ``indices`` ascending and unique: ``(len(indices), H, W, 3)`` uint8 RGB."""

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """Start and end time stamp of a frame."""

    def close(self) -> None:
        """Lets the file go."""


def default_backend() -> str:
    """``'decord'`` where it is installed (it has no wheels for ARM), else ``'pyav'``."""
    return 'decord' if importlib.util.find_spec('decord') is not None else 'pyav'


def open_video(path: str | Path, backend: str | None = None, frame_folder_fps: float | None = None) -> VideoReader:
    """Opens a video file, or a folder of numbered frames.

    Args:
        path: File or folder.
        backend: ``'decord'``, ``'pyav'``, or None for :func:`default_backend`. AVI files carry no presentation time
            stamps, and webm often no length: both are always read by PyAV.
        frame_folder_fps: Frame rate of folders, needed only where time stamps are asked for.

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
    check_complete(path)
    if (backend or default_backend()) == 'pyav' or path.suffix.lower() in _PYAV_SUFFIXES:
        return PyAVReader(path)
    return DecordReader(path)


class DecordReader:
    """Video file through decord; through PyAV where decord cannot copy frames of that width (24 or 72, say)."""

    def __init__(self, path: Path) -> None:
        import decord

        self.path = path
        try:
            # fault_tol=1: one frame that has to be made up is an error, decord would repeat a neighbour silently
            self._reader: Any = decord.VideoReader(str(path), num_threads=1, fault_tol=1)
            self.num_frames = len(self._reader)
            self.fps: float | None = float(self._reader.get_avg_fps())
        except (decord.DECORDError, RuntimeError) as error:
            raise MediaError(f'{path}: cannot be opened as a video: {_last_line(error)}') from error
        if self.num_frames == 0:
            raise MediaError(f'{path}: the video has no frames')

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`VideoReader`."""
        import decord

        try:
            return self._reader.get_batch(list(indices)).asnumpy()
        except (decord.DECORDError, RuntimeError) as error:
            if _PADDED_ROWS in str(error):
                return self._read_by_pyav(indices)
            raise MediaError(
                f'{self.path}: frames {indices[0]}..{indices[-1]} of {self.num_frames} cannot be decoded, '
                f'the file is truncated or damaged: {_last_line(error)}'
            ) from error

    def _read_by_pyav(self, indices: Sequence[int]) -> np.ndarray:
        reader = PyAVReader(self.path)
        try:
            return reader.read(indices)
        finally:
            reader.close()

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`VideoReader`."""
        start, end = self._reader.get_frame_timestamp(index)
        return float(start), float(end)

    def close(self) -> None:
        """See :class:`VideoReader`."""
        self._reader = None


class PyAVReader:
    """Video file through PyAV (FFmpeg). Opening reads the packets' time stamps, so that indices are exact."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._reformatter = VideoReformatter()  # made once: making it takes ten times as long as using it
        try:
            self._container = av.open(str(path))
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f'{path}: cannot be opened as a video: {error}') from error
        if not self._container.streams.video:
            self._container.close()
            raise MediaError(f'{path}: the file has no picture track')
        self._stream = self._container.streams.video[0]
        self._stream.codec_context.thread_count = 1
        self.fps: float | None = float(self._stream.average_rate) if self._stream.average_rate else None
        self._time_base = self._stream.time_base or Fraction(1, 1)
        packets = [p for p in self._container.demux(self._stream) if p.size and not p.is_discard]
        self.num_frames = len(packets)
        expected = self._stream.frames
        if self.num_frames == 0 or self.num_frames < expected:
            self.close()
            raise MediaError(f'{path}: {self.num_frames} frames found, header declares {expected}; the file is damaged')
        # (presentation stamp, decoding stamp of the packet, key frame?) in order of presentation; None without stamps
        self._index: list[tuple[int, int, bool]] | None = None
        stamped = [(p.pts, p.pts if p.dts is None else p.dts, p.is_keyframe) for p in packets if p.pts is not None]
        if len(stamped) == self.num_frames and self._container.format.name not in _UNSTAMPED_FORMATS:
            self._index = sorted(stamped)

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`VideoReader`."""
        frames: dict[int, np.ndarray] = {}
        try:
            for position, frame in self._decode_from(indices[0]):
                if position in indices:
                    frames[position] = self._to_rgb(frame)
                if position >= indices[-1]:
                    break
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(
                f'{self.path}: frames {indices[0]}..{indices[-1]} of {self.num_frames} cannot be decoded, '
                f'the file is truncated or damaged: {error}'
            ) from error
        missing = [i for i in indices if i not in frames]
        if missing:
            raise MediaError(
                f'{self.path}: frame {missing[0]} of {self.num_frames} is missing; the file is truncated or damaged'
            )
        return np.stack([frames[i] for i in indices])

    def frames(self) -> Iterator[np.ndarray]:
        """Decodes every frame once, in order; reading part by part would begin at a key frame each time."""
        num_read = 0
        try:
            for position, frame in self._decode_from(0):
                if position != num_read:
                    break
                yield self._to_rgb(frame)
                num_read += 1
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f'{self.path}: frame {num_read} cannot be decoded: {error}') from error
        if num_read < self.num_frames:
            raise MediaError(
                f'{self.path}: frame {num_read} of {self.num_frames} is missing; the file is truncated or damaged'
            )

    def decode(self) -> Iterator[tuple[int, av.VideoFrame]]:
        """Decodes every frame once, in order, and leaves it to the caller which to convert: (index, frame)."""
        yield from self._decode_from(0)

    def _decode_from(self, first: int) -> Any:
        """Yields (index, frame) from the last key frame at or before ``first``, in order of presentation."""
        if self._index is None:
            self._container.seek(0)
            yield from enumerate(self._container.decode(self._stream))
            return
        keys = [entry for entry in self._index[: first + 1] if entry[2]] or [self._index[0]]
        self._container.seek(keys[-1][1], stream=self._stream)
        position_of = {entry[0]: position for position, entry in enumerate(self._index)}
        for frame in self._container.decode(self._stream):
            if frame.pts in position_of:
                yield position_of[frame.pts], frame

    def _to_rgb(self, frame: av.VideoFrame) -> np.ndarray:
        return self._reformatter.reformat(frame, format='rgb24').to_ndarray()

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`VideoReader`."""
        if self._index is None:
            if not self.fps:
                raise MediaError(f"{self.path}: no time stamps and no frame rate; use audio_alignment='fraction'")
            return index / self.fps, (index + 1) / self.fps
        start = self._index[index][0]
        if index + 1 < self.num_frames:
            end = self._index[index + 1][0]
        else:
            end = start + (start - self._index[index - 1][0] if index else 0)
        return float(start * self._time_base), float(end * self._time_base)

    def close(self) -> None:
        """See :class:`VideoReader`."""
        self._container.close()


class FrameFolderReader:
    """Folder of numbered pictures, in the numeric order of their names (``2.jpg`` before ``10.jpg``).

    Attributes:
        files: The pictures in that order.
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
        MediaError: If it is no picture, too large a one, or a JPEG without its end (which decoders fill with grey).
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) or status.st_size > _LARGEST_PICTURE_BYTES:
        raise MediaError(f'{path}: not a file of a picture; remove it, or prepare the clip again')
    return decode_image(path.read_bytes(), path)


def decode_image(data: bytes | memoryview, name: object) -> np.ndarray:
    """Decodes a picture that is in memory; ``name`` is what an error calls it. Else as :func:`read_image`."""
    encoded = bytes(data)
    is_cut = encoded[:2] == b'\xff\xd8' and encoded.rfind(b'\xff\xd9') < 0
    image, size = None, None if is_cut else picture_size(encoded)
    if size is not None:
        if size[0] * size[1] > _LARGEST_PICTURE:
            raise MediaError(
                f'{name}: a picture of {size[1]} x {size[0]} pixels, more than the {_LARGEST_PICTURE} that are read; '
                'make it smaller'
            )
        image = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
    if image is None:
        raise MediaError(f'{name}: the picture is {"truncated" if is_cut else "unreadable"}; convert it again')
    return image


def _last_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__
