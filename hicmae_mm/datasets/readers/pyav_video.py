"""Reads video files with PyAV (FFmpeg): random access to every picture that FFmpeg shows, with its time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from av.sidedata.sidedata import Type

from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.readers.displayed import DisplayConverter
from hicmae_mm.datasets.readers.picture_index import index_by_decoding, index_of_packets
from hicmae_mm.datasets.readers.tracks import clock_start_seconds, decoded_frames, open_container, picture_track

_LARGEST_RATE_HZ = 1000
_RATE_TOLERANCE = 0.01  # largest relative difference between the rate in the header and that of the time stamps


class PyAVReader:
    """Reads a video with PyAV; see :class:`~hicmae_mm.datasets.readers.video.VideoReader`.

    The constructor reads the time stamps of all packets, so that frame indices are exact. If the packets do not list
    the pictures reliably, it decodes the whole track; see :mod:`hicmae_mm.datasets.readers.picture_index`.

    Args:
        path: The video.

    Attributes:
        codec: Name of the codec.
        is_plain: Whether pictures are stored as they are displayed, every picture is shown, and groups of pictures are
            independent.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is broken, or has no pictures.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        try:
            self._prepare()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._container = open_container(self.path)
        try:
            self._track = picture_track(self._container, self.path)
        except BaseException:
            self._container.close()
            raise

    def _prepare(self) -> None:
        track = self._track
        self._time_base = track.time_base or Fraction(1)
        size = track.codec_context.width, track.codec_context.height
        pixel_shape = track.sample_aspect_ratio
        self.codec, pixel_format = track.codec_context.name, track.codec_context.pix_fmt
        self._kept: list[Any] = []
        with decoder_errors(f'{self.path}: the frames cannot be found, the file is damaged'):
            index = index_of_packets(self._container, track, self.path)
            if index is None:
                self._reopen()
                index, self._kept = index_by_decoding(self._container, self._track, self.path)
        self._index = index
        has_sound = bool(self._container.streams.audio)
        self._start = clock_start_seconds(self._container) if has_sound else index.stamps[0] * self._time_base
        self.num_frames = len(index.stamps)
        self.fps = self._rate()
        self.is_plain = index.is_plain and pixel_shape in (None, 0, 1) and pixel_format == 'yuv420p'
        self._pixel_shape, self._size_is_sure = pixel_shape, index.first_size is not None
        self._size = index.first_size or size
        self._converter = DisplayConverter(self._size, pixel_shape)

    def _rate(self) -> float | None:
        stated = float(self._track.average_rate or 0)
        shown = float((self._index.stamps[-1] - self._index.stamps[0]) * self._time_base)
        if shown > 0:
            measured = (self.num_frames - 1) / shown
            return stated if abs(stated - measured) <= _RATE_TOLERANCE * measured else measured
        return stated if 0 < stated <= _LARGEST_RATE_HZ else None

    @cached_property
    def _positions(self) -> dict[int, int]:
        return {stamp: position for position, stamp in enumerate(self._index.stamps)}

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        frames: np.ndarray | None = None
        for slot, frame in enumerate(self.forward(indices)):
            if frames is None:
                frames = np.empty((len(indices), *frame.shape), np.uint8)
            frames[slot] = frame
        if frames is None:
            raise ValueError('read needs at least one index')
        return frames

    def frames(self) -> Iterator[np.ndarray]:
        """Decodes every frame once, in order. Reading in parts would start at a key frame for each part."""
        return self.forward(range(self.num_frames))

    def forward(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Decodes frames in one pass and yields them one by one.

        Args:
            indices: Frame indices, ascending and without repetition.

        Yields:
            ``(H, W, 3)`` uint8 RGB.

        Raises:
            MediaError: If a frame cannot be decoded.
        """
        for frame in self._decoded(indices):
            if (frame.width, frame.height) != self._size and not self._size_is_sure:
                self._take_size_of_first()
            with decoder_errors(f'{self.path}: a frame cannot be converted'):
                picture = self._converter.to_rgb(frame)
            yield picture

    def is_upright(self) -> bool:
        """Tells whether the first picture is displayed without rotation or mirroring. Decodes the first picture."""
        return next(self._decoded([0])).side_data.get(Type.DISPLAYMATRIX) is None

    def _take_size_of_first(self) -> None:
        """Scales all pictures to the size of the first one, because the size in the header is wrong."""
        first = PyAVReader(self.path)
        try:
            frame = next(first._decoded([0]))
        finally:
            first.close()
        self._size, self._size_is_sure = (frame.width, frame.height), True
        self._converter = DisplayConverter(self._size, self._pixel_shape)

    def _decoded(self, indices: Sequence[int]) -> Iterator[Any]:
        """Yields the decoded frames before conversion. If decoding after a seek fails, it starts again from frame 0."""
        if self._kept:
            yield from (self._kept[index] for index in indices)
            return
        done = 0
        for begin in self._ways_to(indices[0]):
            try:
                for position, frame in begin():
                    if position > indices[done]:
                        break
                    if position == indices[done]:
                        yield frame
                        done += 1
                        if done == len(indices):
                            return
                reason = 'it is missing'
            except Exception as error:
                reason = str(error)
        raise MediaError(
            f'{self.path}: frame {indices[done]} of {self.num_frames} cannot be decoded, '
            f'the file is truncated or damaged: {reason}'
        )

    def _ways_to(self, first: int) -> list[Callable[[], Iterator[tuple[int, Any]]]]:
        stamp = self._index.seek_stamp(first)
        return [self._from_start] if stamp is None else [lambda: self._from_key(stamp), self._from_start]

    def _from_key(self, stamp: int) -> Iterator[tuple[int, Any]]:
        self._container.seek(stamp, stream=self._track)
        yield from self._numbered()

    def _from_start(self) -> Iterator[tuple[int, Any]]:
        self._reopen()
        if self._index.key_stamps:
            yield from self._numbered()
        else:
            yield from enumerate(decoded_frames(self._container, self._track))

    def _numbered(self) -> Iterator[tuple[int, Any]]:
        for frame in decoded_frames(self._container, self._track):
            position = self._positions.get(frame.pts)
            if position is not None:
                yield position, frame

    def _reopen(self) -> None:
        """Goes back to the start of the file. Seeking to the start is not reliable in every container."""
        self._container.close()
        self._open()

    def frame_seconds(self, index: int) -> tuple[float, float]:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        stamps = self._index.stamps
        end = stamps[index + 1] if index + 1 < self.num_frames else self._index.end
        return self._seconds(stamps[index]), self._seconds(end)

    def _seconds(self, stamp: int) -> float:
        return float(stamp * self._time_base - self._start)

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.video.VideoReader`."""
        self._kept = []
        self._container.close()
