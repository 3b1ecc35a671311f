"""Adds recorded noise to a waveform at a given signal-to-noise ratio (MER2023, MER-NOISE)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

_LOWEST, _HIGHEST = -32768, 32767


def root_mean_square(samples: np.ndarray) -> float:
    """Computes the root of the mean square of samples."""
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def noise_piece(length: int, draw: Callable[[], np.ndarray], generator: np.random.Generator) -> np.ndarray:
    """Cuts a piece of ``length`` samples at a random place out of as many recordings as it takes.

    Args:
        length: Number of samples.
        draw: Returns a recording, another one at every call.
        generator: Draws the place.
    """
    parts: list[np.ndarray] = []
    while sum(map(len, parts)) <= length:
        parts.append(draw())
    noise = np.concatenate(parts)
    start = int(generator.integers(0, len(noise) - length))
    return noise[start : start + length]


def mix_noise(clean: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Adds noise to a signal, in 16-bit samples.

    If the sum leaves the range of 16 bits, the whole sum is scaled so that its larger side just fits. Fractions are cut
    off.

    Args:
        clean: Samples ``(S,)`` int16 of the signal.
        noise: ``(S,)`` int16. Silence adds nothing.
        snr_db: Ratio of the root mean squares of signal and noise, in decibels.

    Returns:
        ``(S,)`` int16.

    Raises:
        ValueError: If signal and noise differ in length.
    """
    if clean.shape != noise.shape or clean.ndim != 1:
        raise ValueError(f'signal and noise must be (S,) and equally long, got {clean.shape} and {noise.shape}')
    if not len(clean):
        return clean
    level = root_mean_square(noise)
    wanted = root_mean_square(clean) / 10 ** (snr_db / 20)
    mixed = clean.astype(np.float64) + noise.astype(np.float64) * (wanted / level if level > 0 else 0.0)
    if mixed.max() > _HIGHEST or mixed.min() < _LOWEST:
        is_upper = mixed.max() >= -mixed.min()
        mixed *= _HIGHEST / mixed.max() if is_upper else _LOWEST / mixed.min()
    return mixed.astype(np.int16)


def as_int16(waveform: np.ndarray) -> np.ndarray:
    """Returns the 16-bit samples of a waveform in -1..1."""
    return np.clip(np.rint(np.asarray(waveform, np.float64) * -_LOWEST), _LOWEST, _HIGHEST).astype(np.int16)


def as_waveform(samples: np.ndarray) -> np.ndarray:
    """Returns the waveform in -1..1, float32, of 16-bit samples."""
    return samples.astype(np.float32) / -_LOWEST
