"""Resamples sound, in bounded memory for every pair of rates."""

from __future__ import annotations

import math
from functools import lru_cache

import av
import numpy as np
import torch
from torchaudio.transforms import Resample

# numbers; torchaudio's kernel has a row for every phase, which would be gigabytes for a rate such as 44101 Hz
_LARGEST_KERNEL = 2**22
_BLOCK = 2**16  # samples


def resample_waveform(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Resamples a waveform.

    torchaudio resamples between usual rates, because published models were trained on its results. FFmpeg's resampler
    is used where torchaudio's kernel would be too large, because the two rates have no large common divisor.

    Args:
        waveform: Samples ``(S,)`` float32.
        from_hz: Sampling rate of the waveform.
        to_hz: Sampling rate of the result.

    Returns:
        ``(ceil(S * to_hz / from_hz),)`` float32.
    """
    if from_hz == to_hz or not len(waveform):
        return waveform
    common = math.gcd(from_hz, to_hz)
    if (from_hz // common) * (to_hz // common) <= _LARGEST_KERNEL:
        resampled: np.ndarray = _resampler(from_hz, to_hz)(torch.from_numpy(np.ascontiguousarray(waveform))).numpy()
        return resampled
    return _resampled_by_ffmpeg(waveform, from_hz, to_hz)


@lru_cache(maxsize=8)
def _resampler(from_hz: int, to_hz: int) -> Resample:
    return Resample(from_hz, to_hz)


def _resampled_by_ffmpeg(waveform: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    resampler = av.AudioResampler(format='fltp', layout='mono', rate=to_hz)
    wanted, pieces = math.ceil(len(waveform) * to_hz / from_hz), []
    for start in range(0, len(waveform), _BLOCK):
        block = np.ascontiguousarray(waveform[None, start : start + _BLOCK], np.float32)  # (1, S)
        frame = av.AudioFrame.from_ndarray(block, format='fltp', layout='mono')
        frame.sample_rate = from_hz
        pieces += [piece.to_ndarray()[0] for piece in resampler.resample(frame)]
    pieces += [piece.to_ndarray()[0] for piece in resampler.resample(None)]
    resampled = np.concatenate(pieces)[:wanted]
    return np.pad(resampled, (0, wanted - len(resampled)))
