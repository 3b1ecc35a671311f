from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.apis.rolling import RollingClip


def test_only_the_last_seconds_are_kept():
    clip = RollingClip(2.0, 10)
    for number in range(50):
        clip.add_frame(np.full((2, 2, 3), number, np.uint8), number / 10)
        clip.add_sound(np.array([number]))
    record = clip.clip()
    assert record['frames'][:, 0, 0, 0].tolist() == list(range(30, 50))
    assert record['waveform'].tolist() == list(range(30, 50))
    assert record['fps'] == pytest.approx(10)
    assert record['sample_rate_hz'] == 10


def test_nothing_yet():
    with pytest.raises(ValueError, match='nothing has been recorded'):
        RollingClip(1.0).clip()
    with pytest.raises(ValueError, match='above 0, got 0'):
        RollingClip(0)
