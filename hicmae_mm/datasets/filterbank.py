"""Kaldi's log-mel filterbank, equal to torchaudio's in every bit, but with a cached window and mel matrix.

torchaudio's ``kaldi.fbank`` computes both again for every waveform, and also computes an energy that is not used.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torchaudio.compliance.kaldi import get_mel_banks

FRAME_SHIFT_MS = 10.0
FRAME_LENGTH_MS = 25.0
PREEMPHASIS = 0.97
LOWEST_HZ = 20.0
_NO_WARP = (100.0, -500.0, 1.0)  # torchaudio's defaults, with which vocal-tract length normalisation is off
_EPSILON = torch.tensor(torch.finfo(torch.float32).eps)


def frame_samples(sample_rate_hz: int) -> int:
    """Returns the number of samples in one window of 25 ms."""
    return int(sample_rate_hz * FRAME_LENGTH_MS * 0.001)


def kaldi_filterbank(waveform: Tensor, sample_rate_hz: int, num_mel_bins: int, max_frames: int) -> Tensor:
    """Computes the log-mel energies of the first frames of a waveform.

    The result equals that of ``torchaudio.compliance.kaldi.fbank`` with a Hanning window of 25 ms every 10 ms, no
    dither, no energy, HTK compatible, and the other options at their defaults.

    Args:
        waveform: ``(S,)`` float32, at least one window long.
        sample_rate_hz: Sampling rate of the waveform.
        num_mel_bins: Number of mel bins F.
        max_frames: Largest number of frames to compute.

    Returns:
        ``(T, F)`` float32. T is the number of windows that fit into the waveform, at most ``max_frames``.
    """
    length, shift = frame_samples(sample_rate_hz), int(sample_rate_hz * FRAME_SHIFT_MS * 0.001)
    window, mel = _window(length), _mel_matrix(num_mel_bins, _fft_length(length), sample_rate_hz)
    frames = waveform.unfold(0, length, shift)[:max_frames]  # (T, length)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    frames = (frames - PREEMPHASIS * before) * window
    spectrum = torch.fft.rfft(frames, n=_fft_length(length)).abs().pow(2.0)  # (T, fft / 2 + 1)
    return torch.max(spectrum @ mel, _EPSILON).log()


def _fft_length(length: int) -> int:
    """Returns the smallest power of two that is not below ``length``."""
    return 1 << (length - 1).bit_length()


@lru_cache(maxsize=8)
def _window(length: int) -> Tensor:
    return torch.hann_window(length, periodic=False)


@lru_cache(maxsize=8)
def _mel_matrix(num_mel_bins: int, fft_length: int, sample_rate_hz: int) -> Tensor:
    """Returns the mel filters over the bins of a spectrum, ``(fft / 2 + 1, F)``. The highest bin has the weight 0."""
    filters, _ = get_mel_banks(num_mel_bins, fft_length, float(sample_rate_hz), LOWEST_HZ, 0.0, *_NO_WARP)
    return torch.nn.functional.pad(filters, (0, 1)).T
