from __future__ import annotations

import numpy as np
import pytest
import torch

from hicmae_mm.datasets.transforms import RandomGain, SpecMasking


def test_gain_scales_all_views_alike_and_keeps_its_range() -> None:
    np.random.seed(0)
    wave = np.array([0.5, -0.25], dtype=np.float32)
    gains = []
    for _ in range(500):
        first, second = RandomGain()(dict(waveforms=[wave, 2 * wave]))['waveforms']
        assert first.dtype == np.float32
        np.testing.assert_allclose(second, 2 * first)
        gains.append(first[0] / wave[0])
    assert 0.5 < min(gains) < 0.75 < 1.25 < max(gains) < 1.5
    assert np.mean(gains) == pytest.approx(1.0, abs=0.02)
    assert np.std(gains) == pytest.approx(np.sqrt(1 / (4 * 21)), abs=0.01)  # Beta(10, 10)


def test_masks_hide_a_band_and_a_span() -> None:
    torch.manual_seed(0)
    widths, lengths = [], []
    for _ in range(50):
        hidden = SpecMasking(freq_mask=6, time_mask=10)(dict(spectrograms=torch.ones(2, 40, 16)))['spectrograms'] == 0
        assert torch.equal(hidden[0], hidden[1])
        bins, times = hidden[0].all(dim=0), hidden[0].all(dim=1)
        assert torch.equal(hidden[0], bins[None] | times[:, None])
        widths.append(int(bins.sum()))
        lengths.append(int(times.sum()))
    assert 3 < max(widths) < 6
    assert 5 < max(lengths) < 10


def test_nothing_to_mask() -> None:
    ones = torch.ones(1, 8, 8)
    assert torch.equal(SpecMasking()(dict(spectrograms=ones))['spectrograms'], ones)
    assert SpecMasking(freq_mask=2)(dict(streams=('video',))) == dict(streams=('video',))
    assert RandomGain()(dict(streams=('video',))) == dict(streams=('video',))


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match='alpha must be above 0'):
        RandomGain(alpha=0)
    with pytest.raises(ValueError, match='must be at least 0'):
        SpecMasking(freq_mask=-1)
