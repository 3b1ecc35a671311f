"""Frames spread over a whole video, with its whole sound."""

from __future__ import annotations

from typing import Any

import numpy as np

from hicmae_mm.datasets.transforms.sound import follows_pictures
from hicmae_mm.datasets.transforms.temporal import AudioSpan
from hicmae_mm.datasets.transforms.video_io import SampleClips, span_on_pictures
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class SampleSegments(SampleClips):
    """Divides a video into segments of equal length, and chooses one frame of each.

    The frame is at a random place of the segment in training, and in its middle in a test. A shorter video shows every
    frame, and its last one fills the rest. The sound is the whole track. Keys are those of :class:`SampleClips`.

    Args:
        mode: ``'train'`` or ``'test'``.
        num_segments: Number of segments, and so of frames.
        frame_interval: Distance between neighbouring frames in the windows into which a long clip is cut for inference;
            it does not change the choice of frames.

    Raises:
        ValueError: If an argument is unknown or out of range.

    Example:
        >>> SampleSegments('test', num_segments=4)._frame_indices(10)[0]
        array([1, 3, 6, 8])
    """

    def __init__(self, mode: str, num_segments: int = 16, frame_interval: int = 4) -> None:
        if mode not in ('train', 'test'):
            raise ValueError(f"mode must be 'train' or 'test', got {mode!r}")
        super().__init__(mode, clip_len=num_segments, frame_interval=frame_interval)

    def _frame_indices(self, n: int) -> list[np.ndarray]:
        count = self.clip_len
        if n < count:
            return [np.minimum(np.arange(count), n - 1)]
        if self.mode == 'train':
            length = n // count
            return [np.arange(count) * length + np.random.randint(length, size=count)]
        length_exact = n / count
        return [(length_exact / 2 + length_exact * np.arange(count)).astype(np.int64)]

    def _audio_span(self, view: np.ndarray, results: dict[str, Any]) -> AudioSpan:  # noqa: ARG002 (of the base class)
        whole, reader = AudioSpan(0.0, 1.0), results['video_reader']
        if follows_pictures(results) and reader.fps:
            return span_on_pictures(whole, reader, results['total_frames'])
        return whole
