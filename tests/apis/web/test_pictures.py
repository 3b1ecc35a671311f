from __future__ import annotations

import base64
import io

import numpy as np
import pytest
import torch
from PIL import Image

from hicmae_mm.apis.web import pictures
from hicmae_mm.apis.web.pictures import face_strip, spectrogram
from hicmae_mm.datasets.clips.media import ArrayAudio, ArrayVideo
from hicmae_mm.datasets.filterbank import kaldi_filterbank


def picture_of(address: str) -> Image.Image:
    head, data = address.split(',')
    assert head in ('data:image/png;base64', 'data:image/jpeg;base64')
    return Image.open(io.BytesIO(base64.b64decode(data)))


@pytest.mark.parametrize('rate', [16000, 44100, 44101, 191999])  # the last two by FFmpeg, in little memory
def test_a_tone_is_bright_at_its_height(rate: int):
    seconds = np.arange(2 * rate) / rate
    drawn = spectrogram(ArrayAudio(np.sin(2 * np.pi * 2000 * seconds).astype(np.float32), rate))
    assert drawn is not None
    assert drawn['seconds'] == pytest.approx(2, abs=0.05)
    levels = np.asarray(picture_of(drawn['src']).convert('L')).mean(axis=1)  # from the highest frequency down
    (at,) = [tick['at'] for tick in drawn['ticks'] if tick['label'] == '2']
    assert 1 - levels.argmax() / len(levels) == pytest.approx(at, abs=0.03)


def test_too_little_sound_is_no_picture():
    assert spectrogram(ArrayAudio(np.zeros(500, np.float32), 16000)) is None


def test_a_long_sound_is_a_narrow_picture():
    noise = np.random.default_rng(0).normal(0, 0.1, 25 * 16000).astype(np.float32)
    drawn = spectrogram(ArrayAudio(noise, 16000))
    assert drawn is not None
    assert picture_of(drawn['src']).size == (833, 80)  # 2498 frames, three a column
    # what is computed in parts equals the whole
    wave = torch.from_numpy(noise)
    whole = kaldi_filterbank(wave, 16000, 80, 2498).numpy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, '_FRAMES_AT_A_TIME', 1000)
        parted = pictures._columns(wave, 2498, 3)
    np.testing.assert_allclose(parted, np.maximum.reduceat(whole, np.arange(0, 2498, 3), axis=0), atol=1e-5)


def test_faces_are_cut_where_they_are():
    frames = np.zeros((20, 60, 90, 3), np.uint8)
    frames[:10, 10:30, 20:40] = (255, 0, 0)
    faces = [dict(seconds=0.0, box=[20, 10, 20, 20]), dict(seconds=1.0, box=None)]
    strip = face_strip(ArrayVideo(frames, 10), faces, seconds=2.0, count=4)
    assert [face['seconds'] for face in strip] == [0.0, 0.0, 1.0, 1.0]
    assert [face['src'] is None for face in strip] == [False, False, True, True]
    face = np.asarray(picture_of(strip[0]['src']))
    assert face.shape == (112, 112, 3)
    assert face[56, 56, 0] > 240
    assert face[4, 4, 0] < 30  # a margin around the box


def test_without_a_search_whole_frames_are_shown():
    frames = np.repeat(np.arange(0, 200, 10, dtype=np.uint8), 40 * 40 * 3).reshape(20, 40, 40, 3)
    strip = face_strip(ArrayVideo(frames, 10), [], seconds=2.0, count=5)
    assert [face['seconds'] for face in strip] == [0.2, 0.6, 1.0, 1.4, 1.8]
    means = [np.asarray(picture_of(face['src'])).mean() for face in strip]
    assert means == pytest.approx([20, 60, 100, 140, 180], abs=2)
