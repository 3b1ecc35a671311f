from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from benchmarks import published_pipeline as pipeline
from hicmae_mm.datasets.synthetic.noise import write_noise_clips
from hicmae_mm.datasets.transforms.audio_io import Filterbank
from hicmae_mm.datasets.transforms.temporal import AudioSpan


@pytest.fixture(scope='module')
def stems(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folders = tmp_path_factory.mktemp('videos'), tmp_path_factory.mktemp('folders')
    for folder, as_video in zip(folders, (True, False)):
        write_noise_clips(folder, as_video, num_clips=1, seconds=1.0)
    return folders[0] / 'clip_0', folders[1] / 'clip_0'


def test_samples_are_what_the_model_takes(stems: tuple[Path, Path]) -> None:
    video, sound, tube, hidden = pipeline.pretraining_clip(stems[0])
    assert (video.shape, sound.shape) == ((3, 16, 160, 160), (1, 256, 128))
    assert (tube.sum(), len(tube), hidden.sum(), len(hidden)) == (720, 800, 102, 128)
    views = pipeline.tested_clip(stems[1])
    assert len(views) == 4
    for video, sound in (pipeline.fine_tuning_clip(stems[1]), *views):
        assert (video.shape, video.dtype, sound.shape) == ((3, 16, 160, 160), torch.float32, (1, 256, 128))
        assert video.abs().max() < 8  # erased boxes hold normal noise
    torch.testing.assert_close(views[0][0], views[1][0])  # square frames: the spatial views coincide


def test_spectrogram_is_the_filterbank(stems: tuple[Path, Path]) -> None:
    samples, rate = soundfile.read(stems[0].with_suffix('.wav'), dtype='float32')
    expected = Filterbank().filterbank(samples[4000:12000], rate)
    found = pipeline.spectrogram(stems[0], AudioSpan(0.25, 0.75, 'seconds'), has_gain=False)
    torch.testing.assert_close(found[0], expected)
    np.random.seed(0)
    louder = pipeline.spectrogram(stems[0], AudioSpan(0.25, 0.75), has_gain=True)
    assert not torch.allclose(louder, found)
