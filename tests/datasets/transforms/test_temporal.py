"""The rules at their edges; ``tests/parity`` holds them to the published numbers."""

from __future__ import annotations

import numpy as np
import pytest

from hicmae_mm.datasets.transforms.temporal import (
    AudioSpan,
    fraction_span,
    last_covered_frame,
    pretrain_frame_indices,
    train_frame_indices,
    view_frame_indices,
)


@pytest.mark.parametrize('interval', [1, 3, 4])
@pytest.mark.parametrize('n', [1, 2, 15, 47, 48, 49, 64, 65, 500])
def test_indices_stay_in_the_video_and_ascend(n: int, interval: int) -> None:
    span = 16 * interval
    clips = [pretrain_frame_indices(n, max(n - span, 0), 16, interval)]
    clips += [
        train_frame_indices(n, end, 16, interval) for end in {min(span, n), max(n - 1, 0)} if end >= span or n <= span
    ]
    clips += view_frame_indices(n, 3, 16, interval)
    for clip in clips:
        assert clip.shape == (16,)
        assert clip.dtype == np.int64
        assert 0 <= clip.min() <= clip.max() <= n - 1
        assert (np.diff(clip) >= 0).all()


def test_views_cover_both_ends() -> None:
    views = view_frame_indices(200, 3, 16, 4)
    assert [view[0] for view in views] == [0, 68, 136]
    assert len(view_frame_indices(200, 1, 16, 4)) == 1


def test_spans() -> None:
    assert fraction_span(0, 49, 99) == AudioSpan(0.0, 0.5, 'fraction')
    assert fraction_span(0, 0, 1) == AudioSpan(0.0, 0.0)
    frames = np.arange(10, 74, 4)
    assert last_covered_frame(frames, 200, 16, 4, 'train') == 74
    assert last_covered_frame(frames, 200, 16, 4, 'test') == 74
    assert last_covered_frame(frames, 72, 16, 4, 'pretrain') == 71
