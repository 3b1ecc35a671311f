"""One frame of every segment, and the whole sound."""

from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets import AudioVisualDataset
from hicmae_mm.datasets.transforms import SampleSegments
from tests.conftest import SAMPLE_RATE_HZ, MediaFolder


def _frames(mode: str, n: int) -> list[int]:
    results = dict(total_frames=n, streams=('video',), video_reader=None, avg_fps=25.0)
    return list(SampleSegments(mode, num_segments=4)(results)['frame_inds'])


def test_the_middle_of_every_segment() -> None:
    assert _frames('test', 10) == [1, 3, 6, 8]  # 1.25, 3.75, 6.25, 8.75, cut off
    assert _frames('test', 8) == [1, 3, 5, 7]
    assert _frames('test', 4) == [0, 1, 2, 3]


def test_a_short_video_repeats_its_last_frame() -> None:
    for mode in ('train', 'test'):
        assert _frames(mode, 3) == [0, 1, 2, 2]
        assert _frames(mode, 1) == [0, 0, 0, 0]


def test_training_draws_one_frame_of_every_segment() -> None:
    np.random.seed(0)
    drawn = np.array([_frames('train', 12) for _ in range(50)])
    assert (drawn // 3 == np.arange(4)).all()
    assert len(np.unique(drawn)) == 12


@pytest.mark.parametrize('has_file', [True, False])
def test_the_whole_sound_is_read(media: MediaFolder, has_file: bool) -> None:
    media.video('a.mp4', num_frames=50)
    media.wav('a.wav', media.tone(2.0))
    sound = 'a.wav' if has_file else ''
    path = media.annotation('video,audio,label', f'a.mp4,{sound},0', name='clips.csv')
    steps = [dict(type='OpenVideo'), dict(type='SampleSegments', mode='test', num_segments=4), dict(type='LoadAudio')]
    sample = AudioVisualDataset(path.name, steps, data_root=str(media.root), num_classes=2)[0]
    assert sample['frame_inds'].tolist() == [6, 18, 31, 43]
    (waveform,) = sample['waveforms']
    assert abs(len(waveform) - 2 * SAMPLE_RATE_HZ) < 100


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="mode must be 'train' or 'test', got 'pretrain'"):
        SampleSegments('pretrain')
