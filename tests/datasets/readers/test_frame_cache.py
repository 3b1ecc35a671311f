from __future__ import annotations

import copy
import multiprocessing
import pickle
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.readers.frame_cache import CachedReader, FrameCache
from hicmae_mm.datasets.readers.video import VideoReader, open_video
from hicmae_mm.datasets.transforms import DecodeFrames, OpenVideo, SampleClips
from tests.conftest import MediaFolder

FRAME_BYTES = 64 * 64 * 3


def _open(cache: FrameCache, path: Path, **options: float) -> VideoReader:
    return cache.open(path, partial(open_video, path, 'pyav', **options))


def _is_kept(cache: FrameCache, path: Path) -> bool:
    """Whether a video comes from memory: its file is not opened."""

    def open_file() -> VideoReader:
        raise AssertionError('the file was opened')

    try:
        cache.open(path, open_file)
    except AssertionError:
        return False
    return True


def test_a_video_in_memory_is_the_video_of_the_file(media: MediaFolder) -> None:
    cache, path = FrameCache(10**7), media.video(num_frames=30)
    plain = open_video(path, 'pyav')
    for is_kept in (False, True):
        assert _is_kept(cache, path) == is_kept
        cached = _open(cache, path)
        assert isinstance(cached, CachedReader)
        assert (cached.num_frames, cached.fps) == (plain.num_frames, plain.fps)
        np.testing.assert_array_equal(cached.read([2, 17, 29]), plain.read([2, 17, 29]))
        assert [cached.frame_seconds(i) for i in range(30)] == [plain.frame_seconds(i) for i in range(30)]


def test_frames_may_be_changed(media: MediaFolder) -> None:
    cache, path = FrameCache(10**7), media.video()
    for _ in range(2):
        frames = _open(cache, path).read([0, 1])
        assert frames.max() > 0
        frames[:] = 0


def test_what_does_not_fit_stays_in_its_file(media: MediaFolder) -> None:
    first, second, third = (media.video(name, num_frames=20) for name in ('a.mp4', 'b.mp4', 'c.mp4'))
    cache = FrameCache(2 * 20 * (FRAME_BYTES + 16))
    for path in (first, second, third, third):
        assert [media.frame_number(frame) for frame in _open(cache, path).read([3, 12])] == [3, 12]
    assert [_is_kept(cache, path) for path in (first, second, third)] == [True, True, False]


def test_a_full_table_keeps_what_it_has(media: MediaFolder) -> None:
    paths = [media.video(f'{number}.mp4', num_frames=1, height=16, width=16) for number in range(10)]
    cache = FrameCache(20_000)  # room for 20 such videos, and 8 entries
    for path in paths:
        assert len(_open(cache, path).read([0])) == 1
    assert [_is_kept(cache, path) for path in paths] == [True] * 8 + [False] * 2


def test_a_changed_file_is_another_video(media: MediaFolder) -> None:
    cache, path = FrameCache(10**7), media.video(num_frames=20)
    assert _open(cache, path).num_frames == 20
    media.video(num_frames=25)
    assert _open(cache, path).num_frames == 25
    path.unlink()
    with pytest.raises(FileNotFoundError, match='no such file'):
        _open(cache, path)


def test_a_folder_without_a_rate_has_no_time_stamps(media: MediaFolder) -> None:
    cache, path = FrameCache(10**7), media.frame_folder(num_frames=12)
    for _ in range(2):
        reader = _open(cache, path)
        assert reader.fps is None
        assert [media.frame_number(frame) for frame in reader.read([9, 10])] == [9, 10]
        with pytest.raises(ValueError, match='no time stamps'):
            reader.frame_seconds(0)


def test_a_damaged_frame_is_an_error_only_where_it_is_read(media: MediaFolder) -> None:
    cache, path = FrameCache(10**7), media.frame_folder(num_frames=12)
    (path / '12.jpg').write_bytes(b'')
    for _ in range(2):
        reader = _open(cache, path)
        assert media.frame_number(reader.read([3])[0]) == 3
        with pytest.raises(MediaError, match='unreadable'):
            reader.read([11])


def _read_in_a_worker(cache: FrameCache, path: Path) -> None:
    _open(cache, path).read([0])


def test_forked_workers_share_it_and_copies_do_not(media: MediaFolder) -> None:
    cache, path = FrameCache(10**7), media.video()
    worker = multiprocessing.get_context('fork').Process(target=_read_in_a_worker, args=(cache, path))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    assert _is_kept(cache, path)
    for other in (pickle.loads(pickle.dumps(cache)), copy.deepcopy(cache)):
        assert other.max_bytes == cache.max_bytes
        assert not _is_kept(other, path)
        assert media.frame_number(_open(other, path).read([7])[0]) == 7


def test_an_option_of_the_pipeline(media: MediaFolder) -> None:
    path = media.video(num_frames=40)
    start = dict(streams=('video', 'audio'), video_path=str(path), audio_path=None)
    clips = []
    for step in (OpenVideo(), kept := OpenVideo(cache_gigabytes=0.01), kept):
        results = SampleClips('test', clip_len=4, frame_interval=3, num_clips=2)(step(dict(start)))
        clips.append((DecodeFrames()(results)['imgs'], results['audio_spans'], results['avg_fps']))
    assert kept.cache is not None
    assert _is_kept(kept.cache, path)
    for imgs, spans, fps in clips[1:]:
        np.testing.assert_array_equal(imgs, clips[0][0])
        assert (spans, fps) == clips[0][1:]


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match='cache_gigabytes must be at least 0, got -1'):
        OpenVideo(cache_gigabytes=-1)
    with pytest.raises(ValueError, match='max_bytes must be above 0'):
        FrameCache(0)
