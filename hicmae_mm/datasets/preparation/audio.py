"""The sound track of a video as a file of its own: mono, 16 bit, one sampling rate."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import av
import numpy as np
import soundfile

from hicmae_mm.datasets.containers import check_complete
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.preparation.jobs import Job, Outcome

FORMATS = ('wav', 'flac')
_SHORTFALL_SECONDS = 0.1  # headers may overstate a track by a few packets
_FULL_SCALE = 32768.0


@dataclass
class Loudness:
    """Peak and root mean square of a signal that comes in pieces."""

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
        """Largest magnitude, in dB relative to full scale; None for nothing but zeros."""
        return _decibel(self.peak)

    @property
    def rms_db(self) -> float | None:
        """Root mean square, in dB relative to full scale; None for nothing but zeros."""
        return _decibel(math.sqrt(self.sum_of_squares / max(self.num_samples, 1)))

    def is_silent(self, peak_db: float, rms_db: float = -math.inf) -> bool:
        """Whether peak or root mean square lie below a threshold (dB relative to full scale)."""
        peak, rms = self.peak_db, self.rms_db
        return peak is None or rms is None or peak < peak_db or rms < rms_db


def _decibel(amplitude: float) -> float | None:
    return round(20 * math.log10(amplitude), 2) if amplitude > 0 else None


@dataclass(frozen=True)
class ExtractAudio:
    """Writes the first sound track of a container to a file; the work of ``extract_audio.py``.

    Channels are averaged, as FFmpeg mixes them, and the time of the file starts with the track.

    Attributes:
        sample_rate_hz: Of the files made.
        file_format: ``'wav'`` or ``'flac'``, both with 16 bits a sample.
        silent_db: Peak below which a track is reported as silent (dB relative to full scale). It is written all the
            same: silence is data.
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
            ``seconds``, ``peak_db``, ``rms_db``, ``silent`` and ``offset_seconds``, by which the sound starts later
            than the pictures (None without pictures); the file starts with the sound.

        Raises:
            FileNotFoundError: If there is no such file.
            MediaError: If it is broken, or has no sound.
            OSError: If the file cannot be written.
        """
        check_complete(job.source)
        loudness = Loudness()
        try:
            declared_seconds, offset_seconds = self._convert(job.source, target, loudness)
        except soundfile.LibsndfileError as error:
            raise OSError(f'{target} cannot be written: {error}') from error
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, MediaError):
                raise
            raise MediaError(f'{job.source}: the sound track cannot be decoded: {error}') from error
        seconds = loudness.num_samples / self.sample_rate_hz
        if seconds == 0:
            raise MediaError(f'{job.source}: the sound track is empty')
        if declared_seconds is not None and seconds < declared_seconds - _SHORTFALL_SECONDS:
            raise MediaError(
                f'{job.source}: the sound track ends after {seconds:.2f} s of {declared_seconds:.2f} s; '
                'the file is truncated or damaged'
            )
        return dict(
            seconds=round(seconds, 3),
            peak_db=loudness.peak_db,
            rms_db=loudness.rms_db,
            silent=loudness.is_silent(self.silent_db),
            offset_seconds=offset_seconds,
        )

    def _convert(self, source: Path, target: Path, loudness: Loudness) -> tuple[float | None, float | None]:
        """Decodes, resamples and writes piece by piece; returns length and offset that the header declares (s)."""
        with av.open(str(source)) as container:
            if not container.streams.audio:
                raise MediaError(f'{source}: the file has no sound track')
            stream = container.streams.audio[0]
            stream.codec_context.thread_count = 1
            resampler = av.AudioResampler(format='s16', layout='mono', rate=self.sample_rate_hz)
            file_format = self.file_format.upper()
            with soundfile.SoundFile(
                target, 'w', self.sample_rate_hz, channels=1, subtype='PCM_16', format=file_format
            ) as file:
                for frame in chain(container.decode(stream), [None]):  # None: what the resampler still holds
                    for piece in resampler.resample(frame):
                        samples = piece.to_ndarray().reshape(-1)  # (1, S) -> (S,) int16
                        file.write(samples)
                        loudness.add(samples / _FULL_SCALE)
            length = None
            if stream.duration is not None and stream.time_base is not None:
                length = round(float(stream.duration * stream.time_base), 3)
            pictures = container.streams.video
            return length, round(_start(stream) - _start(pictures[0]), 3) if pictures else None


def _start(stream: Any) -> float:
    """Time stamp of a stream's first frame (s)."""
    return float((stream.start_time or 0) * (stream.time_base or 0))


def summarize_audio(outcomes: Iterable[Outcome]) -> dict[str, Any]:
    """Totals over clips: seconds of sound, and how many are silent."""
    details = [outcome.details for outcome in outcomes if outcome.details]
    return dict(
        seconds=round(sum(clip['seconds'] for clip in details), 3), silent=sum(clip['silent'] for clip in details)
    )
