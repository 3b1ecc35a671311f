from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.speech import NUM_STATISTICS, normalize_by_speaker, voice_statistics

RATE_HZ = 16000
# places in the vector: the statistics of pitch start behind those of spectra, the six of rhythm are the last
PITCH, RHYTHM = NUM_STATISTICS - 20, NUM_STATISTICS - 6


def voice(hz: float, seconds: float = 1.0, amplitude: float = 0.3) -> np.ndarray:
    """``(S,)`` float32: five harmonics of a pitch."""
    time = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * hz * k * time) / k for k in range(1, 6))
    return (amplitude * tone).astype(np.float32)


@pytest.mark.parametrize('hz', [100, 200, 400])
def test_pitch_is_found(hz: int) -> None:
    statistics = voice_statistics(voice(hz))
    assert statistics.shape == (NUM_STATISTICS,)
    assert statistics[PITCH] == pytest.approx(np.log2(hz), abs=0.02)
    assert statistics[RHYTHM + 1] == 1  # every frame is voiced


def test_silence_around_the_speech_changes_little() -> None:
    syllables = np.concatenate([voice(150, 0.3), voice(180, 0.3, 0.1), voice(130, 0.4)])
    alone = voice_statistics(syllables)
    noise = np.random.default_rng(0).normal(0, 1e-4, (2, RATE_HZ)).astype(np.float32)
    padded = voice_statistics(np.concatenate([noise[0], syllables, noise[1]]))
    seconds = np.exp([alone[-1], padded[-1]])
    assert seconds[0] == pytest.approx(0.97, abs=0.03)
    assert seconds[1] == pytest.approx(seconds[0], abs=0.08)  # frames of 25 to 40 ms reach into the noise
    assert padded[PITCH] == pytest.approx(alone[PITCH], abs=0.02)


def test_a_longer_recording_has_similar_statistics() -> None:
    """A tone that swings three times a second; spectrum, modulation and pitch do not depend on the length."""
    time = np.arange(8 * RATE_HZ) / RATE_HZ
    swinging = (0.2 * np.sin(2 * np.pi * (200 * time + 5 * np.sin(2 * np.pi * 3 * time)))).astype(np.float32)
    short, long = voice_statistics(swinging[: 2 * RATE_HZ]), voice_statistics(swinging)
    assert np.abs(short[PITCH : PITCH + 7] - long[PITCH : PITCH + 7]).max() < 0.05
    assert np.median(np.abs(short - long)) < 0.1


@pytest.mark.parametrize(
    ('waveform', 'message'),
    [
        (np.ones(3000, np.float32), 'has 0.19 s, at least 0.25 s are needed'),
        (np.zeros(RATE_HZ, np.float32), 'silent'),
        (np.full(RATE_HZ, np.nan, np.float32), 'not finite'),
    ],
)
def test_what_is_no_speech_is_refused(waveform: np.ndarray, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        voice_statistics(waveform)


def test_the_shortest_recordings_and_pure_noise_have_finite_statistics() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE_HZ).astype(np.float32)
    for waveform in (noise, noise[:4000], np.r_[np.zeros(8000), 0.5, np.zeros(8000)].astype(np.float32)):
        assert np.isfinite(voice_statistics(waveform)).all()


def test_normalisation_removes_what_speakers_have_in_common() -> None:
    generator = np.random.default_rng(0)
    emotion = generator.normal(size=(40, 3))
    statistics = np.concatenate([emotion * 2 + 100, emotion * 7 - 5])
    normalized = normalize_by_speaker(list(statistics), ['a'] * 40 + ['b'] * 40)
    assert np.abs(normalized.mean(axis=0)).max() < 0.05
    assert np.abs(normalized[:40] - normalized[40:]).mean() < 0.2 * np.abs(normalized).mean() + 0.5
    assert np.corrcoef(normalized[:40, 0], normalized[40:, 0])[0, 1] > 0.999


def test_a_speaker_with_one_recording_is_compared_with_the_corpus() -> None:
    statistics = [np.array([value, 7.0]) for value in (0.0, 1.0, 2.0, 3.0, 9.0)]
    normalized = normalize_by_speaker(statistics, ['a', 'a', 'a', 'a', 'b'])
    assert normalized[4, 0] > 0.5  # louder than the others, although it is all that is known of its speaker
    assert normalized[:, 1].tolist() == [0] * 5  # what never varies says nothing
