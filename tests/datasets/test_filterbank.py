from __future__ import annotations

import pytest
import torch
from torchaudio.compliance import kaldi

from hicmae_mm.datasets.filterbank import frame_samples, kaldi_filterbank


@pytest.mark.parametrize('rate', [8000, 16000, 22050, 44100])
@pytest.mark.parametrize('num_mel_bins', [23, 128])
def test_it_is_torchaudios_bit_for_bit(rate: int, num_mel_bins: int) -> None:
    for seconds in (0.0251, 0.7, 3.0):
        waveform = torch.randn(int(seconds * rate), generator=torch.Generator().manual_seed(rate)) * 0.1
        expected = kaldi.fbank(
            waveform.unsqueeze(0),
            htk_compat=True,
            sample_frequency=rate,
            use_energy=False,
            window_type='hanning',
            num_mel_bins=num_mel_bins,
            dither=0.0,
        )
        assert torch.equal(kaldi_filterbank(waveform, rate, num_mel_bins, 1000), expected)
        assert torch.equal(kaldi_filterbank(waveform, rate, num_mel_bins, 20), expected[:20])


def test_silence_is_the_smallest_energy() -> None:
    silence = torch.zeros(frame_samples(16000))
    expected = torch.full((1, 4), torch.finfo(torch.float32).eps).log()
    assert torch.equal(kaldi_filterbank(silence, 16000, 4, 256), expected)
