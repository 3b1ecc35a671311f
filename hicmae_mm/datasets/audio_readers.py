"""Random access to the samples of a sound file, or of the sound track of a video.

soundfile reads wav and flac (only the part that is asked for), PyAV everything else.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import BinaryIO, Protocol

import av
import numpy as np
import soundfile

from hicmae_mm.datasets.containers import check_complete
from hicmae_mm.datasets.errors import MediaError

_SOUNDFILE_SUFFIXES = {'.wav', '.flac'}
_PREROLL_SECONDS = 0.2  # decoded and dropped after a seek: lossy codecs need the packets before
_SHORTFALL_SECONDS = 0.1  # headers may overstate a track by a few packets


class AudioReader(Protocol):
    """What the transforms need of a reader.

    Attributes:
        sample_rate_hz: Rate of the file.
        num_samples: Length of the track, at that rate.
    """

    sample_rate_hz: int
    num_samples: int

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start..stop-1``, channels averaged: ``(S,)`` float32 in -1..1."""

    def close(self) -> None:
        """Lets the file go."""


def open_audio(path: str | Path) -> AudioReader:
    """Opens a sound file, or the sound track of a video file.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is truncated, unreadable, empty or has no sound track.
    """
    path = Path(path)
    if path.is_dir():
        raise MediaError(f"{path}: a folder of frames has no sound track; name an audio file instead of '-'")
    check_complete(path)
    reader: AudioReader = SoundFileReader(path) if path.suffix.lower() in _SOUNDFILE_SUFFIXES else PyAVAudioReader(path)
    if reader.num_samples == 0:
        reader.close()
        raise MediaError(f'{path}: the sound track is empty')
    return reader


class SoundFileReader:
    """wav or flac through soundfile.

    Args:
        file: Path, or a file in memory.
        name: What errors call it; default: the path.
    """

    def __init__(self, file: Path | BinaryIO, name: object = None) -> None:
        self.name = file if name is None else name
        try:
            self._file = soundfile.SoundFile(file)
        except soundfile.LibsndfileError as error:
            raise MediaError(f'{self.name}: cannot be opened as a sound file: {error}') from error
        self.sample_rate_hz = self._file.samplerate
        self.num_samples = self._file.frames

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`AudioReader`."""
        try:
            self._file.seek(start)
            samples = self._file.read(stop - start, dtype='float32', always_2d=True)  # (S, channels)
        except soundfile.LibsndfileError as error:
            raise MediaError(f'{self.name}: samples {start}..{stop} cannot be read: {error}') from error
        if len(samples) < stop - start:
            raise MediaError(f'{self.name}: {stop - start} samples wanted at {start}, {len(samples)} there: truncated')
        return samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)

    def close(self) -> None:
        """See :class:`AudioReader`."""
        self._file.close()


class PyAVAudioReader:
    """Sound track of a container through PyAV. Time runs from the start of the track."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._container = av.open(str(path))
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f'{path}: cannot be opened: {error}') from error
        if not self._container.streams.audio:
            self._container.close()
            raise MediaError(
                f"{path}: the file has no sound track; name an audio file in the annotation instead of '-', "
                "or leave the sound out by streams=('video',)"
            )
        self._stream = self._container.streams.audio[0]
        self._time_base = self._stream.time_base or Fraction(1, 1)
        self.sample_rate_hz = int(self._stream.rate)
        self._first_pts = max(self._stream.start_time or 0, 0)
        self.num_samples = round(float(self._length_in_ticks() * self._time_base) * self.sample_rate_hz)

    def _length_in_ticks(self) -> int:
        """Length of the track in units of its time base; where the header is silent, from the packets."""
        if self._stream.duration:
            return self._stream.duration
        end = self._first_pts
        for packet in self._container.demux(self._stream):
            if packet.pts is not None:
                end = max(end, packet.pts + (packet.duration or 0))
        return end - self._first_pts

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`AudioReader`."""
        rate = self.sample_rate_hz
        samples = np.zeros(stop - start, dtype=np.float32)
        begin_seconds = start / rate - _PREROLL_SECONDS  # below 0 for the first samples: their priming packet
        decoded_to = at = start
        try:
            self._container.seek(self._first_pts + int(begin_seconds / self._time_base), stream=self._stream)
            converter = av.AudioResampler(format='fltp')
            for frame in self._container.decode(self._stream):
                if frame.pts is not None:
                    at = round(float((frame.pts - self._first_pts) * self._time_base) * rate)
                for piece in converter.resample(frame):
                    mono = piece.to_ndarray().mean(axis=0)  # (channels, S) -> (S,)
                    low, high = max(at, start), min(at + len(mono), stop)
                    if low < high:
                        samples[low - start : high - start] = mono[low - at : high - at]
                        decoded_to = high
                    at += len(mono)
                if at >= stop:
                    break
        except (av.error.FFmpegError, ValueError) as error:
            raise MediaError(f'{self.path}: the sound track cannot be decoded: {error}') from error
        if decoded_to < stop - _SHORTFALL_SECONDS * rate:
            raise MediaError(
                f'{self.path}: the sound track ends after {decoded_to / rate:.2f} s of '
                f'{self.num_samples / rate:.2f} s; the file is truncated or damaged'
            )
        return samples[: decoded_to - start]

    def close(self) -> None:
        """See :class:`AudioReader`."""
        self._container.close()
