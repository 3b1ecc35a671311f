from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets.transforms import AddNoise, PyramidBlur
from hicmae_mm.datasets.writers import write_wav


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    for name, seed in (('a', 0), ('deep/b', 1)):
        samples = np.random.default_rng(seed).uniform(-0.2, 0.2, 3000)
        write_wav(tmp_path / 'noise' / f'{name}.wav', samples, sample_rate_hz=8000)
    return tmp_path / 'noise'


def clip(name: str = 'a') -> dict[str, Any]:
    waveform = 0.5 * np.sin(np.arange(16000, dtype=np.float32) / 20)
    return dict(waveforms=[waveform, waveform], sample_rate_hz=16000, sample_id=name)


def test_noise_is_added_at_the_ratio(noise: Path) -> None:
    result = AddNoise(str(noise), snr_db=(6,))(clip())
    for noisy, clean in zip(result['waveforms'], clip()['waveforms']):
        assert noisy.dtype == np.float32
        added = noisy - clean
        assert 20 * np.log10(np.std(clean) / np.std(added)) == pytest.approx(6, abs=0.1)
    assert not np.array_equal(*result['waveforms'])


def test_a_clip_gets_the_same_noise_in_every_test(noise: Path) -> None:
    transform = AddNoise(str(noise))
    first, again, other = (transform(clip(name))['waveforms'][0] for name in ('a', 'a', 'b'))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    in_training = AddNoise(str(noise), seed=None)
    assert not np.array_equal(*(in_training(clip())['waveforms'][0] for _ in range(2)))


def test_blur_changes_all_frames_alike() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (25, 32, 3), dtype=np.uint8)
    result = PyramidBlur(rates=(4,))(dict(imgs=[frame, frame], img_shape=(25, 32), sample_id='a'))
    assert result['img_shape'] == result['imgs'][0].shape[:2] == (28, 32)
    assert np.array_equal(*result['imgs'])
    assert result['imgs'][0].std() < frame.std() / 2
    same = PyramidBlur(rates=(1,))(dict(imgs=[frame], img_shape=(25, 32)))
    assert np.array_equal(same['imgs'][0], frame)
    rates = {PyramidBlur()(dict(imgs=[frame], sample_id=str(name)))['img_shape'] for name in range(20)}
    assert rates == {(25, 32), (26, 32), (28, 32)}


def test_absent_streams_and_wrong_options(tmp_path: Path, noise: Path) -> None:
    assert AddNoise(str(noise))(dict(streams=('video',))) == dict(streams=('video',))
    assert PyramidBlur()(dict(streams=('audio',))) == dict(streams=('audio',))
    with pytest.raises(FileNotFoundError, match='neither a recording nor a folder of .wav or .flac files'):
        AddNoise(str(tmp_path / 'nothing'))
    with pytest.raises(ValueError, match='snr_db is empty'):
        AddNoise(str(noise), snr_db=())
    with pytest.raises(ValueError, match='rates must be powers of 2'):
        PyramidBlur(rates=(3,))
