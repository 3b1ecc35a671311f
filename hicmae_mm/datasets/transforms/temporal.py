"""Which frames and which span of sound make a clip. Pure functions; the transform ``SampleClips`` uses them.

The rules are those of the published implementation (HiCMAE, arXiv 2401.05698; fine-tuning follows VideoMAE), and
``tests/parity/test_frame_sampling.py`` holds them to its numbers. ``n`` is always the number of frames of the video,
frame indices are 0-based.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class AudioSpan(NamedTuple):
    """A part of a sound track.

    Attributes:
        start: Where it begins.
        end: Where it ends.
        unit: ``'fraction'`` of the track's length, 0 to 1, or ``'seconds'`` from its beginning.
    """

    start: float
    end: float
    unit: str = 'fraction'


def pretrain_frame_indices(n: int, start: int, clip_len: int, frame_interval: int) -> np.ndarray:
    """Frames of a pre-training clip: a regular grid from ``start``; frames past the end repeat the last of the grid.

    Args:
        n: Frames in the video, at least 1.
        start: First frame, in ``[0, max(n - clip_len * frame_interval, 0)]``.
        clip_len: T, frames in the clip.
        frame_interval: Distance of neighbouring frames.

    Returns:
        ``(clip_len,)`` int64.
    """
    steps_available = max((n - 2 - start) // frame_interval, 0)
    return start + frame_interval * np.minimum(np.arange(clip_len), steps_available)


def train_frame_indices(n: int, end: int, clip_len: int, frame_interval: int) -> np.ndarray:
    """Frames of a fine-tuning clip that ends at ``end``.

    The clip is spread evenly over ``clip_len * frame_interval`` frames, end points included. A video that is not
    longer is covered whole by ``n // frame_interval`` frames, and its last frame fills the rest.

    Args:
        n: Frames in the video, at least 1.
        end: End index, in ``[span, n)`` with ``span = clip_len * frame_interval``; ignored if ``n <= span``.
        clip_len: T, frames in the clip.
        frame_interval: Mean distance of neighbouring frames.

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
    """Frames of evenly placed test views: every ``frame_interval``-th frame, cut into overlapping windows.

    Args:
        n: Frames in the video, at least 1.
        num_clips: Temporal views, at least 1.
        clip_len: T, frames in a view.
        frame_interval: Distance of neighbouring frames.

    Returns:
        ``num_clips`` arrays ``(clip_len,)`` int64.
    """
    grid = np.arange(0, n, frame_interval)
    if len(grid) < clip_len:
        grid = np.concatenate([grid, np.full(clip_len - len(grid), grid[-1])])
    step = (len(grid) - clip_len) / (num_clips - 1) if num_clips > 1 else 0.0
    return [grid[int(k * step) : int(k * step) + clip_len] for k in range(num_clips)]


def fraction_span(first: int, last: int, n: int) -> AudioSpan:
    """Span between two frames as a fraction of the sound track: ``i / (n - 1)``. Empty for a single frame."""
    return AudioSpan(first / (n - 1), last / (n - 1)) if n > 1 else AudioSpan(0.0, 0.0)


def last_covered_frame(frame_indices: np.ndarray, n: int, clip_len: int, frame_interval: int, mode: str) -> int:
    """Frame at which the sound of a clip ends.

    Fine-tuning counts a full clip from the first frame; pre-training and testing one interval from the last.
    """
    if mode == 'train':
        return min(int(frame_indices[0]) + clip_len * frame_interval, n - 1)
    return min(int(frame_indices[-1]) + frame_interval, n - 1)
