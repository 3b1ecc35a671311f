from __future__ import annotations

import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose

from hicmae_mm.datasets.readers import video as video_readers
from hicmae_mm.measuring.loading import (
    STAGES,
    LoadingPlan,
    bytes_read,
    profile_clips,
    read_clip,
    time_clips,
    time_workers,
)
from hicmae_mm.structures import EmotionDataSample, SkippedSample


class OpenVideo:
    def __call__(self, results: dict) -> dict:
        time.sleep(0.01)
        return results


class DecodeFrames:
    """Reads one picture, as a reader of folders does."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __call__(self, results: dict) -> dict:
        time.sleep(0.02)
        return results | {'image': video_readers.read_image(self.file)}


class Rest:
    def __call__(self, results: dict) -> dict:
        time.sleep(0.03)
        return {'inputs': {'video': torch.zeros(2, 1)}, 'data_samples': EmotionDataSample()}


class Clips:
    def __init__(self, file: Path) -> None:
        self.pipeline = Compose([OpenVideo(), DecodeFrames(file), Rest()])

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> dict:
        return self.pipeline({'index': index})


@pytest.fixture
def clips(tmp_path: Path) -> Clips:
    file = tmp_path / 'frame.png'
    cv2.imwrite(str(file), np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    return Clips(file)


def test_stages_add_up_and_bytes_are_those_of_the_file(clips: Clips) -> None:
    plan = LoadingPlan('train', iters=4, warmup=1, batch_size=2)
    steps, decode = list(clips.pipeline.transforms), video_readers.decode_image
    report = profile_clips(clips, plan)
    spent = report['milliseconds_per_clip']
    assert list(spent) == list(STAGES)
    assert spent['read'] > 29  # opening, and what decoding does besides decoding
    assert spent['transform'] > 29
    assert 0 < spent['decode'] < 15
    assert sum(report['milliseconds_per_transform'].values()) == pytest.approx(sum(spent[name] for name in STAGES[:3]))
    assert list(report['milliseconds_per_transform']) == ['OpenVideo', 'DecodeFrames', 'Rest']
    file = clips.pipeline.transforms[1].file
    assert report['megabytes_per_clip'] == pytest.approx(file.stat().st_size / 1e6, rel=0.02)
    assert clips.pipeline.transforms == steps
    assert video_readers.decode_image is decode


def test_a_file_that_is_read_counts_once() -> None:
    before = bytes_read()
    size = len(Path(__file__).read_bytes())
    after = bytes_read()
    assert before is not None
    assert after is not None
    assert after - before == pytest.approx(size, abs=200)


def test_clips_per_second_in_process_and_from_workers(clips: Clips) -> None:
    plan = LoadingPlan('train', iters=4, warmup=2, batch_size=2, num_workers=2)
    rate, cpu_milliseconds, views = time_clips(clips, plan)
    assert views == 2
    assert 0 < cpu_milliseconds < 60  # sleeping takes none
    assert 1 < rate < 1 / 0.06
    assert rate / 4 < time_workers(clips, plan) < 4 / 0.06


def test_a_clip_that_cannot_be_read_is_an_error() -> None:
    with pytest.raises(ValueError, match='a: no such file'):
        read_clip([SkippedSample('a', 'no such file')], 0)
