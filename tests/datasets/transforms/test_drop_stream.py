from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hicmae_mm.datasets.transforms import DropStream


def _dropped(transform: DropStream, *streams: str) -> dict[str, Any]:
    return transform(dict(streams=streams or ('video', 'audio')))


def test_drops_always_and_says_so() -> None:
    results = _dropped(DropStream('audio'))
    assert (results['streams'], results['absent_streams']) == (('video',), ('audio',))


def test_never_drops_the_last_stream() -> None:
    assert _dropped(DropStream('audio'), 'audio') == dict(streams=('audio',))
    twice = DropStream('video')(_dropped(DropStream('audio')))
    assert (twice['streams'], twice['absent_streams']) == (('video',), ('audio',))


def test_leaves_clips_without_the_stream_alone() -> None:
    assert _dropped(DropStream('audio'), 'video') == dict(streams=('video',))


def test_random_dropping_takes_either_stream_as_often() -> None:
    np.random.seed(0)
    transform = DropStream(('video', 'audio'), prob=0.4)
    left = [_dropped(transform)['streams'] for _ in range(1000)]
    assert left.count(('video', 'audio')) / 1000 == pytest.approx(0.6, abs=0.05)
    assert left.count(('video',)) / 1000 == pytest.approx(0.2, abs=0.04)


def test_options_and_place_are_checked() -> None:
    with pytest.raises(ValueError, match=r"DropStream names \['sound'\], but the data set reads \['audio', 'video'\]"):
        DropStream('sound')(dict(streams=('video',), absent_streams=('audio',)))
    with pytest.raises(ValueError, match='stream is empty'):
        DropStream(())
    with pytest.raises(ValueError, match=r'prob must lie in 0\.\.1, got 2'):
        DropStream(prob=2)
    with pytest.raises(ValueError, match='must stand before OpenVideo'):
        DropStream()(dict(streams=('video', 'audio'), total_frames=9))


def test_with_a_seed_clips_lack_more_and_more() -> None:
    def lacking(prob: float) -> set[int]:
        transform = DropStream('audio', prob=prob, seed=0)
        clips = [transform(dict(streams=('video', 'audio'), sample_id=str(index))) for index in range(200)]
        return {index for index, clip in enumerate(clips) if 'audio' not in clip['streams']}

    sets = [lacking(prob) for prob in (0.0, 0.3, 0.7, 1.0)]
    assert sets[0] == set()
    assert len(sets[3]) == 200
    assert sets[1] < sets[2] < sets[3]
    assert len(sets[1]) / 200 == pytest.approx(0.3, abs=0.1)
    assert lacking(0.3) == sets[1]
