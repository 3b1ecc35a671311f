"""Mixes several channels of sound to one, in the same way for all readers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

_SIDE = 0.5**0.5
# FFmpeg's weights (libswresample), which follow ITU-R BS.775: the low-frequency channel is left out
_WEIGHTS = {
    **{'FL': _SIDE, 'FR': _SIDE, 'FC': 1.0, 'LFE': 0.0, 'LFE2': 0.0},
    **{'SL': 0.5, 'SR': 0.5, 'BL': 0.5, 'BR': 0.5, 'BC': 0.5, 'FLC': _SIDE, 'FRC': _SIDE},
}


def to_mono(samples: np.ndarray, channels: Sequence[str]) -> np.ndarray:
    """Mixes channels with FFmpeg's weights: the mean of two channels, a weighted mean of more. The result cannot clip.

    Args:
        samples: Samples ``(C, S)`` of C channels.
        channels: Names of the C channels in FFmpeg's spelling (``'FL'``, ``'FR'``, ``'FC'``, ...).

    Returns:
        ``(S,)`` of the same type.
    """
    weights = _weights(tuple(channels))
    mono: np.ndarray
    if len(samples) == 1:
        mono = samples[0]
    elif weights is None or len(weights) != len(samples):
        mono = samples.mean(axis=0)
    else:
        mono = weights.astype(samples.dtype) @ samples
    return mono


@lru_cache
def _weights(channels: tuple[str, ...]) -> np.ndarray | None:
    """Returns the weight of every channel; None if all weights are equal, or if a channel is unknown."""
    weights = np.array([_WEIGHTS.get(name, np.nan) for name in channels])
    if not np.isfinite(weights).all() or np.ptp(weights) == 0 or weights.sum() == 0:
        return None
    normalized: np.ndarray = weights / weights.sum()
    return normalized
