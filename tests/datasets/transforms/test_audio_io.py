from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchaudio.compliance import kaldi

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms import Filterbank, LoadAudio
from hicmae_mm.datasets.transforms.temporal import AudioSpan
from tests.conftest import MediaFolder


def _load(path: Path, *spans: AudioSpan, **options: Any) -> list[np.ndarray]:
    results = dict(streams=('audio',), audio_path=str(path), video_path=None, audio_spans=list(spans))
    return LoadAudio(**options)(results)['waveforms']


def test_spans_in_fractions_and_seconds(media: MediaFolder) -> None:
    wave = np.linspace(-0.5, 0.5, 48000, dtype=np.float32)
    path = media.wav(waveform=wave)
    first, second, third = _load(
        path, AudioSpan(0.25, 0.5), AudioSpan(1.0, 2.5, 'seconds'), AudioSpan(2.9, 9.9, 'seconds')
    )
    np.testing.assert_allclose(first, wave[12000:24000], atol=1e-4)
    np.testing.assert_allclose(second, wave[16000:40000], atol=1e-4)
    np.testing.assert_allclose(third, wave[46400:48000], atol=1e-4)  # not beyond the end
    assert first.dtype == np.float32


def test_very_short_span_of_a_short_track_is_the_whole_track(media: MediaFolder) -> None:
    short, long = media.wav('short.wav', media.tone(2.0)), media.wav('long.wav', media.tone(3.0))
    assert len(_load(short, AudioSpan(0.0, 0.0))[0]) == 32000
    assert len(_load(short, AudioSpan(0.0, 1024 / 32000))[0]) == 32000
    assert len(_load(short, AudioSpan(0.0, 1025 / 32000))[0]) == 1025
    assert len(_load(long, AudioSpan(0.0, 1024 / 48000))[0]) == 1024


@pytest.mark.parametrize('rate', [8000, 44100, 48000])
def test_other_rates_are_resampled(media: MediaFolder, rate: int) -> None:
    path = media.wav(waveform=media.tone(2.0, rate=rate), rate=rate)
    (wave,) = _load(path, AudioSpan(0.25, 0.75))
    assert len(wave) == 16000
    expected = media.tone(2.0)[8000:24000]
    np.testing.assert_allclose(wave[200:-200], expected[200:-200], atol=5e-3)


def test_two_channels_are_mixed_down(media: MediaFolder) -> None:
    tone = media.tone(1.0)
    path = media.wav(waveform=np.stack([tone, np.zeros_like(tone)], axis=1))
    np.testing.assert_allclose(_load(path, AudioSpan(0.0, 1.0))[0], tone / 2, atol=1e-4)


def test_two_channels_at_another_rate_in_a_flac(media: MediaFolder) -> None:
    tone = media.tone(1.0, rate=48000)
    path = media.wav('a.flac', np.stack([tone, tone], axis=1), rate=48000)
    np.testing.assert_allclose(_load(path, AudioSpan(0, 1))[0][200:-200], media.tone(1.0)[200:-200], atol=5e-3)


def test_no_audio_stream_no_sound() -> None:
    results = dict(streams=('video',), audio_path='none.wav')
    assert Filterbank()(LoadAudio()(results)) == dict(streams=('video',), audio_path='none.wav')


def test_filterbank_pads_cuts_and_normalises(media: MediaFolder) -> None:
    transform = Filterbank(num_mel_bins=32, target_length=64, mean=-4.0, std=2.0)
    short, long = torch.from_numpy(media.tone(0.3)), torch.from_numpy(media.tone(2.0))
    padded, cut = transform.filterbank(short, 16000), transform.filterbank(long, 16000)
    assert padded.shape == cut.shape == (64, 32)
    assert padded.dtype == torch.float32
    frames = 1 + (4800 - 400) // 160
    torch.testing.assert_close(padded[frames:], torch.full((64 - frames, 32), (0 + 4.0) / 4.0))
    raw = kaldi.fbank(
        (long - long.mean())[None],
        htk_compat=True,
        window_type='hanning',
        num_mel_bins=32,
        dither=0.0,
        use_energy=False,
    )
    torch.testing.assert_close(cut, (raw[:64] + 4.0) / 4.0)
    assert int(cut.mean(dim=0).argmax()) == int(raw.mean(dim=0).argmax())


def test_constant_offset_does_not_matter(media: MediaFolder) -> None:
    tone = torch.from_numpy(media.tone(1.0))
    torch.testing.assert_close(
        Filterbank().filterbank(tone, 16000), Filterbank().filterbank(tone + 0.25, 16000), rtol=1e-2, atol=1e-2
    )


@pytest.mark.parametrize(
    ('wave', 'message'),
    [(np.zeros(399, np.float32), '399 samples of sound, one filterbank frame needs 400'),
     (np.zeros(0, np.float32), 'the clip has 0 samples'),
     (np.full(800, np.nan, np.float32), 'not finite')],
)  # fmt: skip
def test_unusable_waveforms(wave: np.ndarray, message: str) -> None:
    with pytest.raises(MediaError, match=message):
        Filterbank().filterbank(wave, 16000)


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match='std must be above 0'):
        Filterbank(std=0)
    with pytest.raises(ValueError, match='sample_rate_hz must be at least 1'):
        LoadAudio(sample_rate_hz=0)
