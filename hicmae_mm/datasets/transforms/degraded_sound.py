"""Degradations of sound for tests of robustness: reverberation, overdrive, lossy codecs, and delay."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import Any

import av
import numpy as np
import scipy
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.noise import root_mean_square
from hicmae_mm.datasets.readers.pyav_audio import samples_of
from hicmae_mm.datasets.resampling import resample_waveform
from hicmae_mm.datasets.transforms.corruption import clip_generator
from hicmae_mm.registry import TRANSFORMS

_DECAY = np.log(1e3)  # amplitude falls by 60 dB
CODECS = {'mp3': ('mp3', 'libmp3lame'), 'opus': ('ogg', 'libopus'), 'aac': ('adts', 'aac')}


class SoundDegradation(BaseTransform):
    """This is the base class of transforms that change each waveform and keep its length.

    Put them behind ``LoadAudio``.

    Required keys: ``waveforms``, ``sample_rate_hz``. Without waveforms (no audio stream) nothing happens.
    """

    @abstractmethod
    def degrade(self, waveform: np.ndarray, sample_rate_hz: int, generator: np.random.Generator) -> np.ndarray:
        """Degrades one waveform.

        Args:
            waveform: ``(S,)`` float32 in -1..1.
            sample_rate_hz: Sampling rate of the waveform.
            generator: Generator of the clip, which gives the same numbers in every test.

        Returns:
            ``(S,)`` in -1..1.
        """

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Degrades the waveforms."""
        if 'waveforms' in results:
            rate, generator = results['sample_rate_hz'], clip_generator(results, 0)
            results['waveforms'] = [
                self.degrade(waveform, rate, generator).astype(np.float32) for waveform in results['waveforms']
            ]
        return results


@TRANSFORMS.register_module()
class Reverberate(SoundDegradation):
    """Adds the reverberation of a room: convolution with noise that decays exponentially, at the same loudness.

    Args:
        seconds: Reverberation time RT60, after which the sound has decayed by 60 dB; 0 adds nothing.
        direct_to_reverberant_db: Energy of the direct sound relative to that of the reverberation (decibels).

    Raises:
        ValueError: If ``seconds`` is negative.

    Example:
        >>> click = np.zeros(800, np.float32)
        >>> click[100] = 1
        >>> result = Reverberate(seconds=0.02)(dict(waveforms=[click], sample_rate_hz=16000))['waveforms'][0]
        >>> bool(abs(result[:100]).max() < 1e-6), bool(abs(result[101:]).max() > 1e-3)
        (True, True)
    """

    def __init__(self, seconds: float, direct_to_reverberant_db: float = 0.0) -> None:
        if seconds < 0:
            raise ValueError(f'seconds must be at least 0, got {seconds}')
        self.seconds, self.direct_to_reverberant_db = seconds, direct_to_reverberant_db

    def degrade(self, waveform: np.ndarray, sample_rate_hz: int, generator: np.random.Generator) -> np.ndarray:
        """See :class:`SoundDegradation`."""
        length = round(self.seconds * sample_rate_hz)
        if length < 2 or not waveform.any():
            return waveform
        tail = generator.standard_normal(length) * np.exp(-_DECAY * np.arange(length) / length)
        tail[0] = 0
        tail *= 10 ** (-self.direct_to_reverberant_db / 20) / np.linalg.norm(tail)
        tail[0] = 1  # the direct sound
        wet = scipy.signal.fftconvolve(waveform.astype(np.float64), tail)[: len(waveform)]
        return within_range(wet * root_mean_square(waveform) / max(root_mean_square(wet), 1e-12))


@TRANSFORMS.register_module()
class OverdriveSound(SoundDegradation):
    """Clips the peaks, as a microphone does that is set too loud. The loudness stays the same.

    Args:
        share: Share of the samples that are clipped, 0 to below 1.

    Raises:
        ValueError: If ``share`` is out of range.
    """

    def __init__(self, share: float) -> None:
        if not 0 <= share < 1:
            raise ValueError(f'share must be from 0 to below 1, got {share}')
        self.share = share

    def degrade(
        self,
        waveform: np.ndarray,
        sample_rate_hz: int,  # noqa: ARG002 (of the base class)
        generator: np.random.Generator,  # noqa: ARG002
    ) -> np.ndarray:
        """See :class:`SoundDegradation`."""
        if not self.share or not len(waveform):
            return waveform
        limit = float(np.quantile(np.abs(waveform), 1 - self.share))
        clipped = np.clip(waveform, -limit, limit)
        return within_range(clipped * root_mean_square(waveform) / max(root_mean_square(clipped), 1e-12))


@TRANSFORMS.register_module()
class CompressSound(SoundDegradation):
    """Encodes the sound by a lossy codec and decodes it again. The delay of the codec is removed.

    Args:
        kilobits_per_second: Bit rate.
        codec: ``'mp3'``, ``'opus'`` or ``'aac'``.

    Raises:
        ValueError: If the codec is unknown, or the bit rate is not above 0.
    """

    def __init__(self, kilobits_per_second: float, codec: str = 'mp3') -> None:
        if codec not in CODECS:
            raise ValueError(f'codec must be one of {sorted(CODECS)}, got {codec!r}')
        if kilobits_per_second <= 0:
            raise ValueError(f'kilobits_per_second must be above 0, got {kilobits_per_second}')
        self.kilobits_per_second, self.codec = kilobits_per_second, codec

    def degrade(
        self,
        waveform: np.ndarray,
        sample_rate_hz: int,
        generator: np.random.Generator,  # noqa: ARG002 (of the base class)
    ) -> np.ndarray:
        """See :class:`SoundDegradation`."""
        if not len(waveform):
            return waveform
        file = _encode(waveform, sample_rate_hz, self.codec, round(self.kilobits_per_second * 1000))
        decoded = _decode(file, sample_rate_hz)
        return within_range(aligned(decoded, waveform))


def _encode(waveform: np.ndarray, sample_rate_hz: int, codec: str, bits_per_second: int) -> io.BytesIO:
    file = io.BytesIO()
    form, encoder = CODECS[codec]
    samples = np.rint(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
    with av.open(file, 'w', format=form) as container:
        track = container.add_stream(encoder, rate=sample_rate_hz, layout='mono')
        track.codec_context.bit_rate = bits_per_second
        frame = av.AudioFrame.from_ndarray(samples[None], 's16', 'mono')  # (1, S)
        frame.sample_rate = sample_rate_hz
        container.mux(track.encode(frame))
        container.mux(track.encode())
    file.seek(0)
    return file


def _decode(file: io.BytesIO, sample_rate_hz: int) -> np.ndarray:
    with av.open(file) as container:
        frames = list(container.decode(audio=0))
    samples = np.concatenate([samples_of(frame)[0] for frame in frames])
    return resample_waveform(samples, frames[0].sample_rate, sample_rate_hz)  # Opus always decodes to 48 kHz


def aligned(samples: np.ndarray, reference: np.ndarray, most: int = 4096) -> np.ndarray:
    """Removes the delay of a signal against a reference, found by correlation, and cuts it to the reference's length.

    Args:
        samples: Delayed signal ``(S',)``.
        reference: Waveform ``(S,)`` before the degradation.
        most: Longest delay to look for (samples).
    """
    padded = np.pad(samples, (0, max(len(reference) + most - len(samples), 0)))[: len(reference) + most]
    match = scipy.signal.fftconvolve(padded, reference[::-1], mode='valid')  # (most + 1,)
    delay = int(np.argmax(match))
    return padded[delay : delay + len(reference)]


@TRANSFORMS.register_module()
class DelaySound(SoundDegradation):
    """Moves the sound against the pictures. Silence fills the part that becomes free.

    Args:
        seconds: Delay of the sound; a negative one lets the sound come too early.

    Example:
        >>> click = np.array([1.0, 0.5, 0.0, 0.0], np.float32)
        >>> DelaySound(seconds=2 / 16000)(dict(waveforms=[click], sample_rate_hz=16000))['waveforms'][0].tolist()
        [0.0, 0.0, 1.0, 0.5]
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def degrade(
        self,
        waveform: np.ndarray,
        sample_rate_hz: int,
        generator: np.random.Generator,  # noqa: ARG002 (of the base class)
    ) -> np.ndarray:
        """See :class:`SoundDegradation`."""
        shift = int(np.clip(round(self.seconds * sample_rate_hz), -len(waveform), len(waveform)))
        moved = np.zeros_like(waveform)
        if shift >= 0:
            moved[shift:] = waveform[: len(waveform) - shift]
        else:
            moved[:shift] = waveform[-shift:]
        return moved


def within_range(samples: np.ndarray) -> np.ndarray:
    """Scales samples down if they leave -1..1."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples / peak if peak > 1 else samples
