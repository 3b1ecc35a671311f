from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.synthetic.voices import STYLES, VoiceIdentity, synthesize_speech

VOICE = VoiceIdentity(pitch_hz=120.0, formant_scale=1.0, breathiness=0.01, open_quotient=0.6)


def _speak(style: str) -> tuple[np.ndarray, np.ndarray]:
    return synthesize_speech(VOICE, STYLES[style], 2.8, np.random.default_rng(0))


def _pitch_hz(wave: np.ndarray) -> float:
    """Median over the loud 40 ms frames of the autocorrelation's peak between 60 and 400 Hz."""
    pitches = []
    frames = wave[: len(wave) // 640 * 640].reshape(-1, 640)
    for frame in frames[frames.std(axis=1) > 0.7 * wave.std()]:
        correlation = np.correlate(frame, frame, 'full')[639:]
        pitches.append(16000 / (40 + np.argmax(correlation[40:267])))
    return float(np.median(pitches))


def test_length_range_and_level() -> None:
    wave, opening = _speak('subdued')
    assert wave.shape == (44800,)
    assert opening.shape == (560,)
    assert opening.min() >= 0
    assert opening.max() == pytest.approx(1, abs=1e-6)
    assert 20 * np.log10(wave.std()) == pytest.approx(-23 + STYLES['subdued'].loudness_db, abs=0.2)


def test_styles_differ_in_pitch_brightness_and_breath() -> None:
    waves = {name: _speak(name)[0] for name in STYLES}
    assert _pitch_hz(waves['subdued']) < 125 < 140 < _pitch_hz(waves['excited'])

    def share_above(wave: np.ndarray, frequency_hz: float) -> float:
        power = np.abs(np.fft.rfft(wave)) ** 2
        return float(power[round(frequency_hz * len(wave) / 16000) :].sum() / power.sum())

    assert share_above(waves['excited'], 1000) > 3 * share_above(waves['subdued'], 1000)
    assert share_above(waves['tense'], 3000) > 3 * share_above(waves['subdued'], 3000)


def test_mouth_opens_when_the_voice_is_loud() -> None:
    wave, opening = _speak('tense')
    loudness = np.sqrt(np.mean(wave.reshape(560, 80) ** 2, axis=1))
    assert np.corrcoef(loudness, opening)[0, 1] > 0.6


def test_speakers_pitch_is_heard() -> None:
    high = VoiceIdentity(pitch_hz=210.0, formant_scale=1.15, breathiness=0.01, open_quotient=0.6)
    wave, _ = synthesize_speech(high, STYLES['subdued'], 2.8, np.random.default_rng(0))
    assert _pitch_hz(wave) == pytest.approx(210 * STYLES['subdued'].pitch, rel=0.15)
