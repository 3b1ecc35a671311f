"""Describes the voice of a recording by one vector: statistics of its spectrum, its pitch and its loudness over time.

With a few hundred labelled clips, a small network over such a vector scores higher than a network that has to learn its
own features from the sound.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import scipy
import torch
from torch import Tensor

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.filterbank import FRAME_SHIFT_MS, frame_samples, kaldi_filterbank

SAMPLE_RATE_HZ = 16000
_FRAMES_PER_SECOND = 1000 / FRAME_SHIFT_MS
_MEL_BINS, _CEPSTRA, _MODULATED_CEPSTRA = 64, 30, 20
_PERCENTILES = (5, 25, 50, 75, 95)
_MODULATION_EDGES_HZ = (0.4, 1.2, 2.4, 4.3, 8.0, 16.0)  # from slower than a word to faster than a syllable
_PITCH_WINDOW, _PITCH_FFT = 640, 2048  # samples: 40 ms, two periods of a deep voice
_SHORTEST_PERIOD, _LONGEST_PERIOD = 32, 268  # samples: 500 Hz to 60 Hz
_VOICED_PERIODICITY = 0.5
_OCTAVE_COST = 0.03  # of periodicity
_SILENCE_LOG = 9.2  # frames this much below the loud ones, in log energy (40 dB), are silence
_VOICED_LOG = 6.0  # voiced frames are at most this much below the loudest one (26 dB)
_FEWEST_FRAMES = 20
_SHORTEST_SECONDS = 0.25
_TINY_ENERGY, _TINY_MODULATION = 1e-8, 1e-3

_DISTRIBUTION = 2 + len(_PERCENTILES)
NUM_STATISTICS = (
    2 * _DISTRIBUTION * (_MEL_BINS + _CEPSTRA)
    + 2 * _CEPSTRA
    + (len(_MODULATION_EDGES_HZ) - 1) * _MODULATED_CEPSTRA
    + 2 * _DISTRIBUTION
    + 6
)


def voice_statistics(waveform: np.ndarray) -> np.ndarray:
    """Computes statistics of a recording of any length, without the silence before and after the speech.

    They are mean, deviation and percentiles over time of log-mel energies, cepstra and their slopes, the strength of
    the cepstra's modulation in five bands of frequency, and the course of pitch, periodicity and loudness.

    Args:
        waveform: ``(S,)`` float32 in -1..1 at 16 kHz.

    Returns:
        ``(NUM_STATISTICS,)`` float32.

    Raises:
        MediaError: If the recording is shorter than 0.25 s, silent, or not finite.

    Example:
        >>> voice_statistics(np.sin(np.arange(16000) / 20).astype(np.float32)).shape
        (1496,)
    """
    if len(waveform) < _SHORTEST_SECONDS * SAMPLE_RATE_HZ:
        raise MediaError(f'the recording has {len(waveform) / SAMPLE_RATE_HZ:.2f} s, at least 0.25 s are needed')
    samples = torch.from_numpy(np.ascontiguousarray(waveform, np.float32))
    if not torch.isfinite(samples).all():
        raise MediaError('the sound has samples that are not finite (NaN or infinite); convert the file again')
    samples = samples - samples.mean()
    if not samples.any():
        raise MediaError('the recording is silent')
    pitch, periodicity, energy = _pitch(samples)
    mel = kaldi_filterbank(samples, SAMPLE_RATE_HZ, _MEL_BINS, len(energy)).numpy()  # (T, F)
    speech = _speech(energy)
    pitch, periodicity, energy, mel = pitch[speech], periodicity[speech], energy[speech], mel[speech]
    cepstra = scipy.fft.dct(mel, axis=1, norm='ortho')[:, :_CEPSTRA]
    slope = _slope(cepstra)
    bend = _slope(slope)
    parts = [
        *_distribution(cepstra),
        *_distribution(slope),
        bend.mean(axis=0),
        bend.std(axis=0),
        *_modulation(cepstra[:, :_MODULATED_CEPSTRA]),
        *_distribution(mel),
        *_distribution(_slope(mel)),
        _prosody(pitch, periodicity, energy),
    ]
    return np.concatenate(parts).astype(np.float32)


def _distribution(rows: np.ndarray) -> list[np.ndarray]:
    """Computes mean, deviation and percentiles over time of ``(T, D)``."""
    return [rows.mean(axis=0), rows.std(axis=0), *np.percentile(rows, _PERCENTILES, axis=0)]


def _slope(rows: np.ndarray) -> np.ndarray:
    """Computes the slope of the line through five neighbouring frames, ``(T, D)``."""
    padded = np.pad(rows, ((2, 2), (0, 0)), 'edge')
    length = len(rows)
    near = padded[3 : 3 + length] - padded[1 : 1 + length]
    far = padded[4 : 4 + length] - padded[:length]
    slope: np.ndarray = (near + 2 * far) / 10
    return slope


def _modulation(rows: np.ndarray) -> list[np.ndarray]:
    """Computes the log strength of the variation over time in each band of frequency, whatever the length."""
    length = max(256, 1 << (len(rows) - 1).bit_length())
    spectrum = np.abs(np.fft.rfft(rows - rows.mean(axis=0), n=length, axis=0)) / np.sqrt(len(rows))
    hz = np.arange(len(spectrum)) * _FRAMES_PER_SECOND / length
    bands = pairwise(_MODULATION_EDGES_HZ)
    return [np.log(spectrum[(hz >= low) & (hz < high)].mean(axis=0) + _TINY_MODULATION) for low, high in bands]


def _pitch(samples: Tensor) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Computes pitch (log2 Hz), periodicity (0 to about 1) and log energy of every frame, ``(T,)`` each."""
    step = frame_samples(SAMPLE_RATE_HZ) * 2 // 5  # 25 ms windows overlap by 15 ms
    frames = samples.unfold(0, _PITCH_WINDOW, step)  # (T, window)
    frames = frames - frames.mean(dim=1, keepdim=True)
    window, of_window = _pitch_window()
    correlation = _autocorrelation(frames * window)
    correlation = correlation / (correlation[:, :1] + 1e-9) / of_window
    # multiples of the period are as good as the period itself, so that a shorter one is preferred
    periods = torch.arange(_SHORTEST_PERIOD, _LONGEST_PERIOD)
    lag = (correlation[:, _SHORTEST_PERIOD:] - _OCTAVE_COST * torch.log2(periods)).argmax(dim=1, keepdim=True)
    periodicity = correlation[:, _SHORTEST_PERIOD:].gather(1, lag).squeeze(1)  # (T, 1) -> (T,)
    pitch = torch.log2(SAMPLE_RATE_HZ / periods[lag.squeeze(1)])
    energy = torch.log(frames.square().mean(dim=1) + _TINY_ENERGY)
    return pitch.numpy(), periodicity.numpy(), energy.numpy()


def _autocorrelation(frames: Tensor) -> Tensor:
    power = torch.fft.rfft(frames, n=_PITCH_FFT).abs().square()
    correlation: Tensor = torch.fft.irfft(power)[..., :_LONGEST_PERIOD]
    return correlation


@lru_cache(maxsize=1)
def _pitch_window() -> tuple[Tensor, Tensor]:
    window = torch.hann_window(_PITCH_WINDOW)
    correlation = _autocorrelation(window)
    return window, correlation / correlation[0]


def _speech(energy: np.ndarray) -> slice:
    """Cuts silence at both ends, but keeps at least 20 frames."""
    loud = np.flatnonzero(energy > np.percentile(energy, 95) - _SILENCE_LOG)
    start, stop = int(loud[0]), int(loud[-1]) + 1
    if stop - start < _FEWEST_FRAMES:
        start = max(0, min((start + stop - _FEWEST_FRAMES) // 2, len(energy) - _FEWEST_FRAMES))
        stop = min(start + _FEWEST_FRAMES, len(energy))
    return slice(start, stop)


def _prosody(pitch: np.ndarray, periodicity: np.ndarray, energy: np.ndarray) -> np.ndarray:
    """Statistics of pitch, voicing, loudness and rhythm."""
    is_voiced = (periodicity > _VOICED_PERIODICITY) & (energy > energy.max() - _VOICED_LOG)
    if is_voiced.sum() < 5:  # a whisper: the most periodic frames stand for the voiced ones
        is_voiced = periodicity >= np.sort(periodicity)[-min(len(periodicity), 10)]
    tone, of_tone = pitch[is_voiced], periodicity[is_voiced]
    steps = np.abs(np.diff(tone)) if len(tone) > 1 else np.zeros(1)
    seconds = len(energy) / _FRAMES_PER_SECOND
    onsets = np.count_nonzero(np.diff(is_voiced.astype(np.int8)) == 1) / seconds
    rhythm = [steps.mean(), is_voiced.mean(), of_tone.mean(), of_tone.std(), onsets, np.log(seconds)]
    return np.concatenate([*(np.atleast_1d(part) for part in (*_distribution(tone), *_distribution(energy))), rhythm])
