"""Sound at other rates: length and level are kept, by either resampler."""

from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.resampling import resample_waveform


@pytest.mark.parametrize(('from_hz', 'to_hz'), [(48000, 16000), (44100, 16000), (44101, 15999)])
def test_a_tone_stays_itself(from_hz: int, to_hz: int) -> None:
    tone = np.sin(2 * np.pi * 440 * np.arange(from_hz) / from_hz).astype(np.float32)  # one second
    resampled = resample_waveform(tone, from_hz, to_hz)
    expected = np.sin(2 * np.pi * 440 * np.arange(to_hz) / to_hz)
    assert len(resampled) == to_hz
    np.testing.assert_allclose(resampled[500:-500], expected[500:-500], atol=0.01)


def test_sound_of_the_right_rate_is_not_touched() -> None:
    wave = np.ones(3, np.float32)
    assert resample_waveform(wave, 16000, 16000) is wave
