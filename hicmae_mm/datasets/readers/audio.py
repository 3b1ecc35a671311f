"""Random access to the samples of a sound file, or of the sound track of a video.

soundfile reads wav and flac files of one or two channels, and only the requested part of them. PyAV reads all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.readers.containers import check_complete
from hicmae_mm.datasets.readers.pyav_audio import PyAVAudioReader, check_finite

__all__ = ['AlignedAudio', 'AudioReader', 'PyAVAudioReader', 'SoundFileReader', 'open_audio']

_SOUNDFILE_SUFFIXES = {'.wav', '.flac'}
_MOST_SAMPLES_PER_BYTE = 4  # of a wav file; a header that states more comes from a pipe, or is forged


class AudioReader(Protocol):
    """Declares the interface of an audio reader, as the transforms use it.

    Attributes:
        sample_rate_hz: Sampling rate of the file.
        num_samples: Length of the track, in samples of that rate.
        start_seconds: Time of the first sample on the clock of the file. The clock starts with the first picture or the
            first sample, whichever is earlier; so this is 0 for files that contain only sound.
        note: Remark for the user about the choice of the track; None if there is none.
    """

    sample_rate_hz: int
    num_samples: int
    start_seconds: float
    note: str | None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Reads the samples ``start`` to ``stop - 1``, and mixes the channels to one.

        Returns:
            ``(S,)`` float32 in -1..1. S is ``stop - start``, or less where the track ends earlier.

        Raises:
            MediaError: If the samples cannot be decoded.
        """

    def close(self) -> None:
        """Closes the file."""


def open_audio(path: str | Path) -> AudioReader:
    """Opens a sound file, or the sound track of a video file.

    Args:
        path: The file.

    Returns:
        The opened reader.

    Raises:
        FileNotFoundError: If there is no such file.
        MediaError: If the file is truncated, unreadable or empty, or has no sound track.
    """
    path = Path(path)
    if path.is_dir():
        raise MediaError(f"{path}: a folder of frames has no sound track; name an audio file instead of '-'")
    check_complete(path)
    reader = _open_sound_file(path) or PyAVAudioReader(path)
    if reader.num_samples == 0:
        reader.close()
        raise MediaError(f'{path}: the sound track is empty')
    return reader


def _open_sound_file(path: Path) -> AudioReader | None:
    """Opens a file with soundfile; returns None if PyAV should open it instead."""
    if path.suffix.lower() not in _SOUNDFILE_SUFFIXES:
        return None
    try:
        reader = SoundFileReader(path)
    except MediaError:
        return None
    is_wav, size = path.suffix.lower() == '.wav', path.stat().st_size
    is_plausible = reader.num_samples > 0 and (not is_wav or reader.num_samples <= _MOST_SAMPLES_PER_BYTE * size)
    if reader.num_channels <= 2 and is_plausible:
        return reader
    reader.close()
    return None


class SoundFileReader:
    """Reads a wav or flac file with soundfile; see :class:`AudioReader`.

    Args:
        file: Path, or a file in memory.
        name: Name of the file in error messages; by default its path.
        start_seconds: Time of the first sample, see :class:`AudioReader`.

    Attributes:
        num_channels: Number of channels of the file.

    Raises:
        MediaError: If soundfile cannot open the file.
    """

    note: str | None = None

    def __init__(self, file: Path | BinaryIO, name: object = None, start_seconds: float = 0.0) -> None:
        self.name = file if name is None else name
        self.start_seconds = start_seconds
        with decoder_errors(f'{self.name}: cannot be opened as a sound file'):
            self._file = soundfile.SoundFile(file)
        self.sample_rate_hz = self._file.samplerate
        self.num_samples, self.num_channels = self._file.frames, self._file.channels

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`AudioReader`."""
        with decoder_errors(f'{self.name}: samples {start}..{stop} cannot be read'):
            self._file.seek(start)
            samples = self._file.read(stop - start, dtype='float32', always_2d=True)  # (S, channels)
        if len(samples) < stop - start:
            raise MediaError(
                f'{self.name}: the file is truncated: at sample {start} it has {len(samples)} of {stop - start} samples'
            )
        return check_finite(samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1), self.name)

    def close(self) -> None:
        """See :class:`AudioReader`."""
        self._file.close()


class AlignedAudio:
    """Shifts the sound of a clip so that sample 0 is heard at a given time; see :class:`AudioReader`.

    Samples before the start of the track are zeros.

    Args:
        reader: Reader of the track.
        origin_seconds: Time of sample 0, on the clock of the file.

    Attributes:
        peak: Largest magnitude of all samples that were read; None if no sample was read.
    """

    start_seconds = 0.0

    def __init__(self, reader: AudioReader, origin_seconds: float = 0.0) -> None:
        self._reader = reader
        # number of zeros before the track; if negative, number of samples that are cut off
        self._silent = round((reader.start_seconds - origin_seconds) * reader.sample_rate_hz)
        self.sample_rate_hz, self.note = reader.sample_rate_hz, reader.note
        self.num_samples = max(reader.num_samples + self._silent, 0)
        self.peak: float | None = None

    def read(self, start: int, stop: int) -> np.ndarray:
        """See :class:`AudioReader`."""
        begin, end = start - self._silent, stop - self._silent
        zeros = min(max(-begin, 0), stop - start)
        if end <= 0:
            return np.zeros(zeros, np.float32)
        samples = self._reader.read(max(begin, 0), end)
        self.peak = max(self.peak or 0.0, float(np.abs(samples).max(initial=0)))
        return np.concatenate([np.zeros(zeros, np.float32), samples]) if zeros else samples

    def close(self) -> None:
        """See :class:`AudioReader`."""
        self._reader.close()
