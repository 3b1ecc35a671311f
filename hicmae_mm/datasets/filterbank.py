"""Kaldi's log-mel filterbank, bit for bit torchaudio's, with window and mel matrix made once.

torchaudio's ``kaldi.fbank`` makes both anew for every waveform, and measures an energy that nobody asked for.
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
_NO_WARP = (100.0, -500.0, 1.0)  # torchaudio's defaults of vocal-tract length normalisation, which is off
_EPSILON = torch.tensor(torch.finfo(torch.float32).eps)


def frame_samples(sample_rate_hz: int) -> int:
    """Samples under one window of 25 ms."""
    return int(sample_rate_hz * FRAME_LENGTH_MS * 0.001)


def kaldi_filterbank(waveform: Tensor, sample_rate_hz: int, num_mel_bins: int, max_frames: int) -> Tensor:
    """Log-mel energies of the first frames of a waveform.

    The same as ``torchaudio.compliance.kaldi.fbank`` with a Hanning window of 25 ms every 10 ms, no dither, no energy,
    HTK compatible, and everything else by default.

    Args:
        waveform: ``(S,)`` float32, at least one window long.
        sample_rate_hz: Rate of the waveform.
        num_mel_bins: F.
        max_frames: Frames to compute at most.

    Returns:
        ``(T, F)``, T the frames that fit into the waveform, ``max_frames`` at most.
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
    """The next power of two."""
    return 1 << (length - 1).bit_length()


@lru_cache(maxsize=8)
def _window(length: int) -> Tensor:
    return torch.hann_window(length, periodic=False)


@lru_cache(maxsize=8)
def _mel_matrix(num_mel_bins: int, fft_length: int, sample_rate_hz: int) -> Tensor:
    """Mel filters over the bins of a spectrum, ``(fft / 2 + 1, F)``; the highest bin counts nothing."""
    filters, _ = get_mel_banks(num_mel_bins, fft_length, float(sample_rate_hz), LOWEST_HZ, 0.0, *_NO_WARP)
    return torch.nn.functional.pad(filters, (0, 1)).T
