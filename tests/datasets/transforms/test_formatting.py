from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from hicmae_mm.datasets.transforms import PackAudioVisual


def _results(**extra: Any) -> dict[str, Any]:
    imgs = [np.full((6, 5, 3), i, dtype=np.uint8) for i in range(8)]
    results = dict(
        streams=('video', 'audio'), imgs=imgs, spectrograms=torch.zeros(2, 7, 4), num_clips=2, sample_id='a',
        sample_idx=3, video_path='a.mp4', audio_path=None, gt_label=1,
    )  # fmt: skip
    return results | extra


def test_packs_everything() -> None:
    packed = PackAudioVisual()(_results(masks=dict(video=np.arange(10) < 5)))
    video, audio, masks = packed['inputs']['video'], packed['inputs']['audio'], packed['masks']['video']
    assert (video.shape, video.dtype) == ((2, 4, 6, 5, 3), torch.uint8)
    assert video[:, :, 0, 0, 0].tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert (audio.shape, audio.dtype) == ((2, 1, 7, 4), torch.float32)
    assert (masks.shape, masks.dtype) == ((2, 10), torch.bool)
    sample = packed['data_samples']
    assert sample.gt_label.tolist() == [1]
    assert (sample.sample_id, sample.sample_idx, sample.num_views) == ('a', 3, 2)
    assert (sample.video_path, sample.audio_path) == ('a.mp4', None)


def test_streams_that_a_clip_does_without_are_named() -> None:
    results = _results(streams=('video',), absent_streams=('audio',))
    del results['spectrograms']
    packed = PackAudioVisual()(results)
    assert (list(packed['inputs']), packed['absent_streams']) == (['video'], ('audio',))
    assert 'absent_streams' not in PackAudioVisual(streams=('video',))(results)  # not wanted anyway
    assert 'absent_streams' not in PackAudioVisual()(_results())


def test_values_further_meta_keys_and_chosen_streams() -> None:
    results = _results(gt_values=[0.5, 1.0], frame_inds=[1, 2])
    del results['gt_label']
    packed = PackAudioVisual(streams=('audio',), meta_keys=('frame_inds',))(results)
    assert list(packed['inputs']) == ['audio']
    assert 'masks' not in packed
    assert packed['data_samples'].gt_values.tolist() == [0.5, 1.0]
    assert packed['data_samples'].frame_inds == [1, 2]
    assert 'gt_label' not in packed['data_samples']


def test_nothing_to_pack() -> None:
    results = _results()
    del results['imgs']
    with pytest.raises(ValueError, match=r"nothing to pack: .*streams=\('video',\)"):
        PackAudioVisual(streams=('video',))(results)
    with pytest.raises(ValueError, match='streams must be some of'):
        PackAudioVisual(streams=('text',))
