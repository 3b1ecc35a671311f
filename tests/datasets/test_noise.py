from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.noise import as_int16, as_waveform, mix_noise, noise_piece, root_mean_square


def test_ratio_is_met() -> None:
    generator = np.random.default_rng(0)
    clean, noise = (generator.integers(-3000, 3000, 20000).astype(np.int16) for _ in range(2))
    for snr_db in (0, 5, 20):
        added = mix_noise(clean, noise, snr_db).astype(np.float64) - clean
        found = 20 * np.log10(root_mean_square(clean) / root_mean_square(added))
        assert found == pytest.approx(snr_db, abs=0.02)


def test_loud_sums_fit_into_16_bits() -> None:
    clean = np.array([30000, -30000, 100], np.int16)
    mixed = mix_noise(clean, np.array([10, -20, 5], np.int16), 0)
    assert (mixed.max() == 32767) ^ (mixed.min() == -32768)


def test_silence() -> None:
    silence, sound = np.zeros(4, np.int16), np.array([1, -5, 7, 3], np.int16)
    assert mix_noise(sound, silence, 5).tolist() == sound.tolist()
    assert mix_noise(silence, sound, 5).tolist() == [0] * 4
    assert len(mix_noise(silence[:0], silence[:0], 5)) == 0


def test_pieces_are_cut_of_joined_recordings() -> None:
    recording = np.arange(4, dtype=np.int16)
    piece = noise_piece(9, lambda: recording, np.random.default_rng(0))
    assert len(piece) == 9
    assert set(np.diff(piece).tolist()) == {1, -3}
    with pytest.raises(ValueError, match='equally long'):
        mix_noise(recording, piece, 5)


def test_16_bit_samples_survive_both_ways() -> None:
    samples = np.array([-32768, -1, 0, 1, 32767], np.int16)
    assert as_int16(as_waveform(samples)).tolist() == samples.tolist()
    assert as_int16(np.array([1.5, -1.5])).tolist() == [32767, -32768]
