"""Pure functions that choose the frames and the audio span of a clip. The transform ``SampleClips`` calls them.

The rules are those of the published implementation (HiCMAE, arXiv 2401.05698; fine-tuning follows VideoMAE). A parity
test compares them with its numbers. ``n`` is always the number of frames of the video, and frame indices start at 0.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class AudioSpan(NamedTuple):
    """Describes a part of a sound track.

    Attributes:
        start: Start of the span, in ``unit``.
        end: End of the span, in ``unit``.
        unit: ``'fraction'`` (share of the length of the track, 0 to 1) or ``'seconds'`` (from the start of the track).
    """

    start: float
    end: float
    unit: str = 'fraction'


def pretrain_frame_indices(n: int, start: int, clip_len: int, frame_interval: int) -> np.ndarray:
    """Returns the frames of a pre-training clip: a regular grid from ``start``, whose last frame fills a short video.

    Args:
        n: Number of frames of the video, at least 1.
        start: First frame, in ``[0, max(n - clip_len * frame_interval, 0)]``.
        clip_len: Number of frames T of the clip.
        frame_interval: Distance between neighbouring frames.

    Returns:
        ``(clip_len,)`` int64.

    Example:
        >>> pretrain_frame_indices(n=10, start=0, clip_len=4, frame_interval=3)
        array([0, 3, 6, 6])
    """
    steps_available = max((n - 2 - start) // frame_interval, 0)
    return start + frame_interval * np.minimum(np.arange(clip_len), steps_available)


def train_frame_indices(n: int, end: int, clip_len: int, frame_interval: int) -> np.ndarray:
    """Returns the frames of a fine-tuning clip that ends at ``end``.

    The frames of the clip are spread evenly over ``clip_len * frame_interval`` frames, including both ends. In a video
    that is not longer, ``n // frame_interval`` frames cover the whole video, and its last frame fills the rest.

    Args:
        n: Number of frames of the video, at least 1.
        end: End index, in ``[span, n)`` with ``span = clip_len * frame_interval``. It is ignored if ``n <= span``.
        clip_len: Number of frames T of the clip.
        frame_interval: Mean distance between neighbouring frames.

    Returns:
        ``(clip_len,)`` int64.
    """
    span = clip_len * frame_interval
    if n > span:
        return np.clip(np.linspace(end - span, end, num=clip_len), end - span, end - 1).astype(np.int64)
    covered = np.linspace(0, n, num=n // frame_interval)
    filled = np.concatenate([covered, np.full(clip_len - len(covered), n)])
    indices: np.ndarray = np.clip(filled, 0, n - 1).astype(np.int64)
    return indices


def view_frame_indices(n: int, num_clips: int, clip_len: int, frame_interval: int) -> list[np.ndarray]:
    """Returns the frames of the test views: evenly placed windows over every ``frame_interval``-th frame.

    Args:
        n: Number of frames of the video, at least 1.
        num_clips: Number of temporal views, at least 1.
        clip_len: Number of frames T of a view.
        frame_interval: Distance between neighbouring frames.

    Returns:
        ``num_clips`` arrays ``(clip_len,)`` int64.
    """
    grid = np.arange(0, n, frame_interval)
    if len(grid) < clip_len:
        grid = np.concatenate([grid, np.full(clip_len - len(grid), grid[-1])])
    step = (len(grid) - clip_len) / (num_clips - 1) if num_clips > 1 else 0.0
    return [grid[int(k * step) : int(k * step) + clip_len] for k in range(num_clips)]


def fraction_span(first: int, last: int, n: int) -> AudioSpan:
    """Returns the span between two frames as a fraction ``i / (n - 1)`` of the track. It is empty if ``n`` is 1."""
    return AudioSpan(first / (n - 1), last / (n - 1)) if n > 1 else AudioSpan(0.0, 0.0)


def last_covered_frame(frame_indices: np.ndarray, n: int, clip_len: int, frame_interval: int, mode: str) -> int:
    """Returns the frame at which the sound of a clip ends.

    This is the first frame plus the length of a clip in fine-tuning (``mode='train'``), and the last frame plus one
    interval in pre-training and testing.

    Args:
        frame_indices: ``(clip_len,)`` int, frames of the clip.
        n: Number of frames of the video.
        clip_len: Number of frames T of the clip.
        frame_interval: Distance between neighbouring frames.
        mode: ``'pretrain'``, ``'train'`` or ``'test'``.
    """
    if mode == 'train':
        return min(int(frame_indices[0]) + clip_len * frame_interval, n - 1)
    return min(int(frame_indices[-1]) + frame_interval, n - 1)
