"""Reads sound tracks with PyAV (FFmpeg). Every sample is placed at the time that the container states."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.readers.downmix import to_mono
from hicmae_mm.datasets.readers.tracks import (
    LONGEST_SECONDS,
    check_gap,
    clock_start_seconds,
    decoded_frames,
    open_container,
    sound_track,
)

_SEEKABLE_FORMATS = {'mov,mp4,m4a,3gp,3g2,mj2', 'matroska,webm', 'wav', 'w64', 'aiff'}
_STATING_FORMATS = {'mov,mp4,m4a,3gp,3g2,mj2', 'wav', 'w64', 'aiff', 'flac'}  # their headers state the length
_SAMPLE_FORMATS = {  # NumPy type, value of silence, full scale
    **{'u8': ('u1', 128, 128), 's16': ('i2', 0, 2**15), 's32': ('i4', 0, 2**31), 's64': ('i8', 0, 2**63)},
    **{'flt': ('f4', 0, 1), 'dbl': ('f8', 0, 1)},
}
_PREROLL_SECONDS = 0.2  # decoded and dropped after a seek, because lossy codecs need the packets before
_SHORTFALL_SECONDS = 0.1  # a track may be a few packets shorter than its header states
_JITTER_SECONDS = 0.03  # time stamps are rounded; frames whose gap is at most this long are contiguous
_HELD_SECONDS = 30.0  # decoded sound that stays in memory for spans that overlap
_LEAST_BYTES_PER_SECOND = 50  # real sound needs at least this much; a header that states a longer track is wrong


class PyAVAudioReader:
    """Reads a sound track with PyAV; see :class:`~hicmae_mm.datasets.readers.audio.AudioReader`.

    If the container supports exact seeking, decoding starts shortly before the requested samples, else at the start of
    the track. Consecutive reads decode no sample twice.

    Args:
        path: A sound file, or a video with a sound track.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is broken, or has no sound track.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._open()
        try:
            with decoder_errors(f'{path}: the sound track cannot be decoded'):
                self._prepare()
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        self._container = open_container(self.path)
        try:
            self._track = sound_track(self._container, self.path)
        except BaseException:
            self._container.close()
            raise

    def _prepare(self) -> None:
        self._time_base = self._track.time_base or Fraction(1, 1)
        count = len(self._container.streams.audio)
        place = self._container.streams.audio.index(self._track) + 1
        self.note = f'{count} sound tracks, of which number {place} is used' if count > 1 else None
        clock_start = clock_start_seconds(self._container)
        duration, start = self._track.duration, self._track.start_time or 0
        first = next(decoded_frames(self._container, self._track), None)
        if first is None:
            raise MediaError(f'{self.path}: the sound track is empty')
        self.sample_rate_hz = int(first.sample_rate)
        self._first_stamp = int(start if first.pts is None else first.pts)
        self.start_seconds = float(self._first_stamp * self._time_base - clock_start)
        length = (start + (duration or 0) - self._first_stamp) * self._time_base
        is_stated = self._container.format.name in _STATING_FORMATS and length > 0
        if not is_stated or length * _LEAST_BYTES_PER_SECOND > self.path.stat().st_size:
            length = self._length_of_packets()
        if max(abs(self.start_seconds), float(length)) > LONGEST_SECONDS:
            raise MediaError(f'{self.path}: sound of {float(length):.3g} s; the header is damaged')
        self.num_samples = max(round(length * self.sample_rate_hz), 0)
        self._held: list[tuple[int, np.ndarray]] = []
        self._exact_from, self._decoded_to = self.num_samples + 1, 0  # so that the first read seeks

    def _length_of_packets(self) -> Fraction:
        """Computes the length of the track in seconds from its packets, for headers that lack it or are wrong."""
        self._reopen()
        spans = [
            (packet.pts, packet.pts + (packet.duration or 0))
            for packet in self._container.demux(self._track)
            if packet.pts is not None
        ]
        end = max((end for _, end in spans), default=self._first_stamp)
        check_gap(sorted(start for start, _ in spans), self._time_base, 'sound', self.path)
        return (end - self._first_stamp) * self._time_base

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""
        samples = np.zeros(stop - start, dtype=np.float32)
        if not self._exact_from <= start <= self._decoded_to + self.sample_rate_hz:
            self._restart(start)
        try:
            while self._decoded_to < stop:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._held.append(piece)
                self._decoded_to = piece[0] + len(piece[1])
        except Exception as error:
            self._restart(0)
            raise MediaError(f'{self.path}: the sound track cannot be decoded: {error}') from error
        for at, mono in self._held:
            low, high = max(at, start), min(at + len(mono), stop)
            if low < high:
                samples[low - start : high - start] = mono[low - at : high - at]
        decoded_to = min(self._decoded_to, stop)
        self._forget_before(start - int(_HELD_SECONDS * self.sample_rate_hz))
        if decoded_to < stop - _SHORTFALL_SECONDS * self.sample_rate_hz:
            raise MediaError(
                f'{self.path}: the sound track ends after {decoded_to / self.sample_rate_hz:.2f} s of '
                f'{self.num_samples / self.sample_rate_hz:.2f} s; the file is truncated or damaged'
            )
        return check_finite(samples[: max(decoded_to - start, 0)], self.path)

    def _restart(self, start: int) -> None:
        """Moves to a position from which sample ``start`` can be decoded."""
        seconds = Fraction(start, self.sample_rate_hz) - Fraction(_PREROLL_SECONDS)
        self._held = []
        self._exact_from = self._decoded_to = 0
        if seconds > 0 and self._container.format.name in _SEEKABLE_FORMATS:
            try:
                self._container.seek(self._first_stamp + int(seconds / self._time_base), stream=self._track)
                self._exact_from = self._decoded_to = start
            except av.error.FFmpegError:
                self._reopen()
        else:
            self._reopen()
        self._pieces = self._decode()

    def _decode(self) -> Iterator[tuple[int, np.ndarray]]:
        """Yields pairs: index of the first sample, and samples ``(S,)``."""
        rate, at = self.sample_rate_hz, None
        for frame in decoded_frames(self._container, self._track):
            if frame.sample_rate != rate:
                raise MediaError(f'the sampling rate changes from {rate} to {frame.sample_rate} Hz')
            if frame.pts is not None:
                stamped = round((frame.pts - self._first_stamp) * self._time_base * rate)
                if at is None or abs(stamped - at) > _JITTER_SECONDS * rate:
                    at = stamped
            at = 0 if at is None else at
            mono = to_mono(samples_of(frame), [channel.name for channel in frame.layout.channels])  # (C, S) -> (S,)
            yield at, mono
            at += len(mono)

    def _forget_before(self, sample: int) -> None:
        while self._held and self._held[0][0] + len(self._held[0][1]) <= sample:
            at, mono = self._held.pop(0)
            self._exact_from = max(self._exact_from, at + len(mono))

    def _reopen(self) -> None:
        """Goes back to the start of the file. Seeking to the start is not reliable in every container."""
        self._container.close()
        self._open()

    def close(self) -> None:
        """See :class:`~hicmae_mm.datasets.readers.audio.AudioReader`."""
        self._container.close()


def samples_of(frame: av.AudioFrame) -> np.ndarray:
    """Returns the samples of a decoded frame, ``(C, S)`` float32 in -1..1.

    This function does not use FFmpeg's converter, because its threads do not survive a fork, nor PyAV's arrays, which
    are wrong for eight channels and more.
    """
    kind, count, channels = frame.format.name, frame.samples, len(frame.layout.channels)
    dtype, offset, scale = _SAMPLE_FORMATS[kind.removesuffix('p')]
    planes: Any = frame.planes
    if kind.endswith('p'):
        parts = [np.frombuffer(planes[index], dtype, count) for index in range(channels)]
        values = np.stack(parts)  # (C, S)
    else:
        values = np.frombuffer(planes[0], dtype, count * channels).reshape(count, channels).T  # (C, S)
    return (
        values.astype(np.float32) if scale == 1 else ((values.astype(np.float64) - offset) / scale).astype(np.float32)
    )


def check_finite(samples: np.ndarray, name: object) -> np.ndarray:
    """Returns the samples if all of them are finite. Files of floating point samples can contain other values.

    Args:
        samples: Samples ``(S,)``.
        name: Name of the file in error messages.

    Raises:
        MediaError: If a sample is NaN or infinite.
    """
    if not np.isfinite(samples.sum()):
        raise MediaError(f'{name}: the sound has samples that are not finite (NaN or infinite); convert the file again')
    return samples
