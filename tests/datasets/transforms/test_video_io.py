from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets.transforms import DecodeFrames, OpenVideo, SampleClips
from tests.conftest import MediaFolder


def _open(path: Path, **options: Any) -> dict[str, Any]:
    return OpenVideo(**options)(dict(streams=('video', 'audio'), video_path=str(path), audio_path=None))


def _virtual(n: int) -> dict[str, Any]:
    return dict(streams=('video', 'audio'), video_reader=None, total_frames=n, avg_fps=25.0)


@pytest.mark.parametrize('backend', ['decord', 'pyav', None])
def test_clip_from_a_video(media: MediaFolder, backend: str | None) -> None:
    results = _open(media.video(num_frames=40), backend=backend)
    assert (results['total_frames'], results['avg_fps']) == (40, pytest.approx(25))
    assert 'imgs' not in results
    results = DecodeFrames()(SampleClips('train', clip_len=4, frame_interval=3)(results))
    assert 'video_reader' not in results
    assert [media.frame_number(img) for img in results['imgs']] == results['frame_inds'].tolist()
    assert results['img_shape'] == results['original_shape'] == (64, 64)


def test_repeated_frames_do_not_share_memory(media: MediaFolder) -> None:
    results = DecodeFrames()(
        SampleClips('train', clip_len=16, frame_interval=4)(_open(media.frame_folder(num_frames=9)))
    )
    assert len(set(results['frame_inds'].tolist())) < 16
    for first in range(16):
        for second in range(first):
            assert not np.shares_memory(results['imgs'][first], results['imgs'][second])
    results['imgs'][0][:] = 7  # writable, in place


def test_overlapping_views_are_decoded_once(media: MediaFolder) -> None:
    results = SampleClips('test', clip_len=16, frame_interval=2, num_clips=2)(_open(media.frame_folder(num_frames=50)))
    reader, asked = results['video_reader'], []
    read = reader.read
    reader.read = lambda indices: asked.extend(indices) or read(indices)
    results = DecodeFrames()(results)
    assert len(asked) == len(set(asked)) < len(results['imgs']) == 32
    assert [media.frame_number(img) for img in results['imgs']] == results['frame_inds'].tolist()


def test_time_stamps_of_the_sound(media: MediaFolder) -> None:
    for path, options in (
        (media.video(num_frames=40), {}),
        (media.frame_folder(num_frames=40), dict(frame_folder_fps=25)),
    ):
        results = SampleClips('pretrain', clip_len=4, frame_interval=5)(_open(path, **options))
        first, last = results['frame_inds'][0], min(results['frame_inds'][-1] + 5, 39)
        (span,) = results['audio_spans']
        assert span.unit == 'seconds'
        assert (span.start, span.end) == pytest.approx((first / 25, (last + 1) / 25), abs=1e-3)


def test_audio_alone_counts_frames_on_the_sound_track(media: MediaFolder) -> None:
    results = dict(streams=('audio',), video_path='no_such_file.mp4', audio_path=str(media.wav()))
    results = OpenVideo(nominal_fps=30)(results)
    assert (results['total_frames'], results['video_reader']) == (60, None)
    results = DecodeFrames()(SampleClips('pretrain', clip_len=4, frame_interval=4)(results))
    assert 'imgs' not in results
    assert results['audio_spans'][0].start == pytest.approx(results['frame_inds'][0] / 30)


def test_identical_views_are_merged_on_demand() -> None:
    for n, merged in ((40, 1), (200, 2)):
        assert SampleClips('test', num_clips=2)(_virtual(n))['num_clips'] == merged
        assert len(SampleClips('test', num_clips=2)(_virtual(n))['audio_spans']) == merged
        assert SampleClips('test', num_clips=2, merge_identical_views=False)(_virtual(n))['num_clips'] == 2


@pytest.mark.parametrize(('mode', 'starts'), [('train', {0, 1, 2, 3}), ('pretrain', {0, 1, 2, 3, 4})])
def test_every_start_is_drawn_and_no_other(mode: str, starts: set[int]) -> None:
    np.random.seed(0)
    drawn = {int(SampleClips(mode)(_virtual(68))['frame_inds'][0]) for _ in range(200)}
    assert drawn == starts  # training ends before the last frame, as published


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(mode='val'), "mode must be 'pretrain', 'train' or 'test'"),
        (dict(mode='test', clip_len=0), 'must be at least 1'),
        (dict(mode='train', num_clips=2), "num_clips=2 needs mode='test'"),
        (dict(mode='test', audio_alignment='seconds'), 'audio_alignment must be'),
    ],
)
def test_options_are_checked(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SampleClips(**options)


def test_backend_is_checked_at_construction() -> None:
    with pytest.raises(ValueError, match='backend must be one of'):
        OpenVideo(backend='opencv')
