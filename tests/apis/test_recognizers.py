"""Recognizers as functions: the numbers of the inferencer in a form for programs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hicmae_mm import load_recognizer
from hicmae_mm.apis import EmotionInferencer, LoadedRecognizer
from hicmae_mm.datasets.errors import MediaError
from tests.engine.tiny_run import CLASSES

NOISE = np.random.default_rng(0).normal(0, 0.1, 48000).astype(np.float32)
FRAMES = np.random.default_rng(1).integers(0, 255, (75, 32, 32, 3), dtype=np.uint8)
CLIP = dict(frames=FRAMES, fps=25, waveform=NOISE, sample_rate_hz=16000)


@pytest.fixture(scope='module')
def recognize(weights: Path) -> LoadedRecognizer:
    return load_recognizer(weights, device='cpu', face_cropper=None)


def test_arrays(recognize: LoadedRecognizer, weights: Path) -> None:
    found = recognize(CLIP, window_seconds=1.0, stride_seconds=1.0)
    assert found.times.tolist() == [[0, 1], [1, 2], [2, 3]]
    assert found.windows.shape == (3, len(CLASSES))
    np.testing.assert_allclose(found.windows.mean(0), list(found.scores.values()), atol=2e-6)
    assert found.label == max(found.scores, key=found.scores.__getitem__)
    assert found.values == {}
    assert found.details['streams'] == ['video', 'audio']
    direct = EmotionInferencer(weights, device='cpu', face_cropper=None)(CLIP, window_seconds=1.0, stride_seconds=1.0)
    assert direct['predictions'][0]['scores'] == found.scores


def test_files_and_lists(recognize: LoadedRecognizer, corpus: Path) -> None:
    one = recognize(dict(video=corpus / '0.mp4', audio=corpus / '0.wav'))
    many = recognize([dict(video=corpus / f'{number}.mp4', audio=corpus / f'{number}.wav') for number in range(2)])
    assert [type(one).__name__, len(many)] == ['Recognition', 2]
    assert many[0].scores == pytest.approx(one.scores, abs=1e-5)


def test_a_stream_that_is_missing_is_named(recognize: LoadedRecognizer) -> None:
    with pytest.raises(MediaError, match='no audio'):
        recognize(dict(frames=FRAMES, fps=25))
