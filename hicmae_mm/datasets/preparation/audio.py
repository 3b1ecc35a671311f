"""Writes the sound track of a video as a file of its own: mono, 16 bit, one sampling rate."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from hicmae_mm.datasets.preparation.jobs import Job, Outcome
from hicmae_mm.datasets.readers.audio import AudioReader, open_audio
from hicmae_mm.datasets.readers.tracks import clock_start_seconds, open_container, picture_tracks
from hicmae_mm.utils.files import check_can_grow

FORMATS = ('wav', 'flac')
_BLOCK_SECONDS = 10  # of sound in memory
_FULL_SCALE = 32768.0


@dataclass
class Loudness:
    """Measures peak and root mean square of a signal that comes in pieces."""

    num_samples: int = 0
    peak: float = 0.0
    sum_of_squares: float = 0.0

    def add(self, samples: np.ndarray) -> None:
        """Takes a piece ``(S,)`` in -1..1 in."""
        if samples.size:
            samples = samples.astype(np.float64)
            self.num_samples += samples.size
            self.peak = max(self.peak, float(np.abs(samples).max()))
            self.sum_of_squares += float(samples @ samples)

    @property
    def peak_db(self) -> float | None:
        """Returns the largest magnitude, in dB relative to full scale; it is None for nothing but zeros."""
        return _decibel(self.peak)

    @property
    def rms_db(self) -> float | None:
        """Returns the root mean square, in dB relative to full scale; it is None for nothing but zeros."""
        return _decibel(math.sqrt(self.sum_of_squares / max(self.num_samples, 1)))

    def is_silent(self, peak_db: float, rms_db: float = -math.inf) -> bool:
        """Tells whether the peak or the root mean square is below a threshold (dB relative to full scale)."""
        peak, rms = self.peak_db, self.rms_db
        return peak is None or rms is None or peak < peak_db or rms < rms_db


def _decibel(amplitude: float) -> float | None:
    return round(20 * math.log10(amplitude), 2) if amplitude > 0 else None


@dataclass(frozen=True)
class ExtractAudio:
    """Writes the sound of a file to a file of its own; the work of ``extract_audio.py``.

    Track, mixing of channels and times are those of :func:`~hicmae_mm.datasets.readers.audio.open_audio`. The file made
    starts where the clock of its source does: sound that starts later than the pictures has zeros before it.

    Attributes:
        sample_rate_hz: Sample rate of the new files.
        file_format: ``'wav'`` or ``'flac'``, both with 16 bits a sample.
        silent_db: Peak below which a track is reported as silent (dB relative to full scale). It is written all the
            same: Silence is data.
    """

    sample_rate_hz: int = 16000
    file_format: str = 'wav'
    silent_db: float = -60.0

    def __post_init__(self) -> None:
        if self.file_format not in FORMATS:
            raise ValueError(f'format must be one of {FORMATS}, got {self.file_format!r}')
        if self.sample_rate_hz < 1:
            raise ValueError(f'sample_rate_hz must be above 0, got {self.sample_rate_hz}')

    def __call__(self, job: Job, target: Path) -> dict[str, Any]:
        """Makes ``target`` of ``job.source``.

        Returns:
            ``seconds`` of sound, ``peak_db``, ``rms_db``, ``silent``, ``offset_seconds``, by which the sound starts
            later than the pictures (None without pictures), and ``note``, which of several tracks it is.

        Raises:
            FileNotFoundError: If there is no such file.
            MediaError: If it is broken, or has no sound.
            OSError: If the file cannot be written.
        """
        reader = open_audio(job.source)
        loudness = Loudness()
        try:
            offset_seconds = _offset_seconds(job.source, reader.start_seconds)
            self._write(reader, target, loudness)
        except soundfile.LibsndfileError as error:
            check_can_grow(target)
            raise OSError(f'{target} cannot be written: {error}') from error
        finally:
            reader.close()
        return dict(
            seconds=round(loudness.num_samples / self.sample_rate_hz, 3),
            peak_db=loudness.peak_db,
            rms_db=loudness.rms_db,
            silent=loudness.is_silent(self.silent_db),
            offset_seconds=offset_seconds,
            note=reader.note,
        )

    def _write(self, reader: AudioReader, target: Path, loudness: Loudness) -> None:
        """Decodes, resamples and writes piece by piece."""
        with soundfile.SoundFile(
            target, 'w', self.sample_rate_hz, channels=1, subtype='PCM_16', format=self.file_format.upper()
        ) as file:
            file.write(np.zeros(round(max(reader.start_seconds, 0) * self.sample_rate_hz), np.int16))
            for samples in self._resampled(reader):
                file.write(samples)
                loudness.add(samples / _FULL_SCALE)

    def _resampled(self, reader: AudioReader) -> Iterator[np.ndarray]:
        """Yields samples ``(S,)`` int16 at the rate asked for."""
        resampler = av.AudioResampler(format='s16', layout='mono', rate=self.sample_rate_hz)
        block = _BLOCK_SECONDS * reader.sample_rate_hz
        for start in range(0, reader.num_samples, block):
            samples = reader.read(start, min(start + block, reader.num_samples))
            frame = av.AudioFrame.from_ndarray(samples[None], format='fltp', layout='mono')
            frame.sample_rate = reader.sample_rate_hz
            yield from (piece.to_ndarray()[0] for piece in resampler.resample(frame))
        yield from (piece.to_ndarray()[0] for piece in resampler.resample(None))


def _offset_seconds(source: Path, sound_start_seconds: float) -> float | None:
    """Returns the delay (seconds) of the sound after the pictures; None without pictures."""
    with open_container(source) as container:
        pictures = picture_tracks(container)
        if not pictures:
            return None
        start = (pictures[0].start_time or 0) * (pictures[0].time_base or 1)
        return round(sound_start_seconds - float(start - clock_start_seconds(container)), 3)


def summarize_audio(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Totals over clips: seconds of sound, how many are silent, and how many have several sound tracks."""
    details = [outcome.details for outcome in outcomes if outcome.details]
    return dict(
        seconds=round(sum(clip['seconds'] for clip in details), 3),
        silent=sum(clip['silent'] for clip in details),
        several_tracks=sum(clip.get('note') is not None for clip in details),
    )
