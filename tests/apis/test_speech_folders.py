"""Speech models of transformers as functions, from a folder alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from hicmae_mm import load_encoder
from tests.models.foreign.tiny_transformers import save

pytest.importorskip('transformers')
NOISE = np.random.default_rng(0).normal(0, 0.1, 4000).astype(np.float32)


def test_a_folder_is_an_encoder(tmp_path: Path) -> None:
    model = save('wav2vec2', tmp_path / 'speech').eval()
    found = load_encoder(tmp_path / 'speech', device='cpu')(NOISE, 16000)
    normed = torch.from_numpy((NOISE - NOISE.mean()) / np.sqrt(NOISE.var() + 1e-7))
    with torch.no_grad():
        expected = model(normed[None]).last_hidden_state[0]
    torch.testing.assert_close(found.frames, expected, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.utterance, expected.mean(0), atol=1e-5, rtol=0)
    assert found.times[:2].tolist() == pytest.approx([0.0, 20 / 16000])  # strides 5 and 4
    assert len(found.layers) == 2


def extractor_of(kind: str) -> Any:
    """A feature extractor with a window of about a second."""
    import transformers

    if kind == 'whisper':
        return transformers.WhisperFeatureExtractor(chunk_length=1)
    if kind == 'clap_audio_model':
        return transformers.ClapFeatureExtractor(feature_size=16, max_length_s=1, frequency_max=8000)
    return transformers.ASTFeatureExtractor(num_mel_bins=32, max_length=64)


@pytest.mark.parametrize(
    ('kind', 'window_seconds'), [('whisper', 1.0), ('audio-spectrogram-transformer', 0.64), ('clap_audio_model', 1.0)]
)
def test_models_of_spectrograms_see_a_long_clip_in_windows(kind: str, window_seconds: float, tmp_path: Path) -> None:
    save(kind, tmp_path)
    extractor = extractor_of(kind)
    extractor.save_pretrained(tmp_path)
    rate = extractor.sampling_rate
    encoder = load_encoder(tmp_path, device='cpu')
    long = np.random.default_rng(1).normal(0, 0.1, round(2.5 * window_seconds * rate)).astype(np.float32)
    window = round(window_seconds * rate)
    found, first, last = encoder([long, long[:window], long[-window:]], rate)
    steps = len(first.times)
    assert found.times[0] == 0
    assert (found.times.diff() > 0).all()
    assert found.times[-1] == pytest.approx(1.5 * window_seconds + float(last.times[-1]), abs=1e-3)
    torch.testing.assert_close(found.frames[:steps], first.frames, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.frames[-1], last.frames[-1], atol=1e-5, rtol=0)
    torch.testing.assert_close(found.layers[-1], found.frames)


def test_silence_that_fills_the_window_of_whisper_has_no_frames(tmp_path: Path) -> None:
    model = save('whisper', tmp_path)
    extractor = extractor_of('whisper')
    extractor.save_pretrained(tmp_path)
    found = load_encoder(tmp_path, device='cpu')(NOISE, 16000)  # a quarter of the window
    with torch.no_grad():
        inputs = extractor(NOISE, sampling_rate=16000, return_tensors='pt').input_features
        expected = model.get_encoder()(inputs).last_hidden_state[0]
    torch.testing.assert_close(found.frames, expected[: len(found.frames)], atol=1e-4, rtol=0)
    assert len(found.frames) == 13  # 0.02 s each
    assert found.times[-1] == pytest.approx(0.24)


def test_other_kinds_need_a_config(tmp_path: Path) -> None:
    save('bert', tmp_path / 'words')
    with pytest.raises(ValueError, match="a model of the kind 'bert'; load_encoder reads folders of data2vec-audio"):
        load_encoder(tmp_path / 'words')
