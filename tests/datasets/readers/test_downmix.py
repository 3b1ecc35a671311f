"""Mixing of channels: the weights of ITU-R BS.775, normalised so that nothing clips."""

from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.readers.downmix import to_mono

SIDE = 0.5**0.5


@pytest.mark.parametrize(
    ('channels', 'weights'),
    [
        ('FC', [1]),
        ('FL FR', [0.5, 0.5]),
        ('FL FR LFE', [0.5, 0.5, 0]),
        ('FL FR FC LFE BL BR', np.array([SIDE, SIDE, 1, 0, 0.5, 0.5]) / (2 * SIDE + 2)),
        ('X1 X2 X3', [1 / 3, 1 / 3, 1 / 3]),
    ],
)
def test_each_channel_has_its_weight(channels: str, weights: list[float]) -> None:
    names = channels.split()
    np.testing.assert_allclose(to_mono(np.eye(len(names), dtype=np.float32), names), weights, atol=1e-6)
