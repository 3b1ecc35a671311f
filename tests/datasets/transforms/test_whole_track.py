from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets import AudioVisualDataset
from hicmae_mm.datasets.transforms import WholeTrack
from tests.conftest import SAMPLE_RATE_HZ, MediaFolder


def _read(media: MediaFolder, row: str, **options: object) -> dict:
    path = media.annotation('video,audio,label,start,end', row, name='tracks.csv')
    load = dict(type='WholeTrack', **options)
    return AudioVisualDataset(path.name, [load], data_root=str(media.root), num_classes=2, streams=('audio',))[0]


def test_the_whole_track_a_span_and_a_part(media: MediaFolder) -> None:
    ramp = np.arange(2 * SAMPLE_RATE_HZ, dtype=np.float32) / (2 * SAMPLE_RATE_HZ)
    media.wav('a.wav', ramp)
    whole = _read(media, ',a.wav,0,,')['waveform']
    np.testing.assert_allclose(whole, ramp, atol=1e-4)
    np.testing.assert_allclose(_read(media, ',a.wav,0,0.5,1')['waveform'], ramp[8000:16000], atol=1e-4)
    np.testing.assert_allclose(_read(media, ',a.wav,0,,', max_seconds=1)['waveform'], ramp[8000:24000], atol=1e-4)
    part = _read(media, ',a.wav,0,,', max_seconds=0.25, random_part=True)['waveform']
    assert part.shape == (4000,)
    np.testing.assert_allclose(np.diff(part), np.diff(ramp)[:3999], atol=1e-4)
    assert _read(media, ',a.wav,0,,', sample_rate_hz=8000)['waveform'].shape == (16000,)
    assert _read(media, ',a.wav,0,,', max_seconds=9)['waveform'].shape == (32000,)


def test_the_track_of_a_video(media: MediaFolder) -> None:
    media.video('a.mp4', num_frames=25)
    sample = _read(media, 'a.mp4,,0,,')
    assert abs(len(sample['waveform']) - SAMPLE_RATE_HZ) < 2048  # AAC works in blocks of 1024 samples
    assert sample['sample_rate_hz'] == SAMPLE_RATE_HZ


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match='sample_rate_hz and max_seconds must be above 0, got 16000 and 0'):
        WholeTrack(max_seconds=0)
    assert WholeTrack().transform(dict(streams=('video',))) == dict(streams=('video',))
