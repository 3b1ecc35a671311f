"""Random access to the samples of a sound file, or of the sound track of a video.

soundfile reads wav and flac of one or two channels (only the part that is asked for), PyAV everything else.
"""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import soundfile

from hicmae_mm.datasets.containers import check_complete
from hicmae_mm.datasets.errors import MediaError, decoder_errors
from hicmae_mm.datasets.pyav_audio import PyAVAudioReader, check_finite

__all__ = ['AlignedAudio', 'AudioReader', 'PyAVAudioReader', 'SoundFileReader', 'open_audio']

_SOUNDFILE_SUFFIXES = {'.wav', '.flac'}
_MOST_SAMPLES_A_BYTE = 4  # of wav; a header that says more is of a pipe, or forged


class AudioReader(Protocol):
    """What the transforms need of a reader.

    Attributes:
        sample_rate_hz: Rate of the file.
        num_samples: Length of the track, at that rate.
        start_seconds: When the first sample is heard on the clock of the file, which starts with the first picture or
            sample, whichever is earlier; 0 for files of sound alone.
        note: What a user should know about the choice of the track, None if nothing.
    """

    sample_rate_hz: int
    num_samples: int
    start_seconds: float
    note: str | None

    def read(self, start: int, stop: int) -> np.ndarray:
        """Samples ``start..stop-1``, channels mixed to one: ``(S,)`` float32 in -1..1."""

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
    reader = _open_sound_file(path) or PyAVAudioReader(path)
    if reader.num_samples == 0:
        reader.close()
        raise MediaError(f'{path}: the sound track is empty')
    return reader


def _open_sound_file(path: Path) -> AudioReader | None:
    """A reader through soundfile; None for what PyAV is better at, or soundfile cannot open."""
    if path.suffix.lower() not in _SOUNDFILE_SUFFIXES:
        return None
    try:
        reader = SoundFileReader(path)
    except MediaError:
        return None
    is_wav, size = path.suffix.lower() == '.wav', path.stat().st_size
    is_believable = reader.num_samples > 0 and (not is_wav or reader.num_samples <= _MOST_SAMPLES_A_BYTE * size)
    if reader.num_channels <= 2 and is_believable:
        return reader
    reader.close()
    return None


class SoundFileReader:
    """wav or flac through soundfile.

    Args:
        file: Path, or a file in memory.
        name: What errors call it; default: the path.
        start_seconds: See :class:`AudioReader`.

    Attributes:
        num_channels: Of the file.
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
            raise MediaError(f'{self.name}: {stop - start} samples wanted at {start}, {len(samples)} there: truncated')
        return check_finite(samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1), self.name)

    def close(self) -> None:
        """See :class:`AudioReader`."""
        self._file.close()


class AlignedAudio:
    """The sound of a clip on the clock of its pictures: sample 0 is heard at a given time, zeros where there is none.

    Args:
        reader: The sound as it is.
        origin_seconds: Time of sample 0, on the clock of the file.

    Attributes:
        peak: Largest magnitude of the samples that were read so far; None before any was.
    """

    start_seconds = 0.0

    def __init__(self, reader: AudioReader, origin_seconds: float = 0.0) -> None:
        self._reader = reader
        self._silent = round((reader.start_seconds - origin_seconds) * reader.sample_rate_hz)  # below 0: cut off
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
