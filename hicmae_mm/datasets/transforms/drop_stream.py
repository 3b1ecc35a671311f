"""Clips that do without a stream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.transforms.corruption import clip_generator
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DropStream(BaseTransform):
    """Lets a clip do without a stream: always (to test what a model does then), or at random (to train it for that).

    Stands first in a pipeline: the stream is then neither opened nor decoded. The last stream of a clip is never
    dropped. The model needs ``missing_streams='zero'``.

    Required key: ``streams``. Changed keys: ``streams``, ``absent_streams`` (what was dropped).

    Args:
        stream: Stream to drop, or several, of which one is chosen with equal probability.
        prob: Probability of dropping, drawn for every clip.
        seed: With a seed, a clip does without the same stream in every test, and also at any higher probability.
            ``None`` means it is drawn anew each time, for training.

    Example:
        >>> results = DropStream('audio')(dict(streams=('video', 'audio'), sample_id='clip'))
        >>> results['streams'], results['absent_streams']
        (('video',), ('audio',))
    """

    def __init__(self, stream: str | Sequence[str] = 'audio', prob: float = 1.0, seed: int | None = None) -> None:
        self.streams = (stream,) if isinstance(stream, str) else tuple(stream)
        if not self.streams:
            raise ValueError("stream is empty; name at least one stream, such as 'audio'")
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie in 0..1, got {prob}')
        self.prob, self.seed = prob, seed

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Takes a stream from the clip.

        Raises:
            ValueError: If the clip is open already, or the data set does not read the stream.
        """
        if 'total_frames' in results:
            raise ValueError('DropStream must stand before OpenVideo, so that what is dropped is not even opened')
        known = {*results['streams'], *results.get('absent_streams', ())}
        if not set(self.streams) <= known | {'video', 'audio'}:
            raise ValueError(f'DropStream names {list(self.streams)}, but the data set reads {sorted(known)}')
        random: Any = np.random  # the generator of the worker process
        if self.seed is not None:
            random = np.random.RandomState(clip_generator(results, self.seed).integers(1 << 31))
        chosen = self.streams[random.randint(len(self.streams))] if len(self.streams) > 1 else self.streams[0]
        drops = self.prob == 1 or random.rand() < self.prob
        left = tuple(name for name in results['streams'] if name != chosen)
        if drops and left and len(left) < len(results['streams']):
            results['streams'] = left
            results['absent_streams'] = (*results.get('absent_streams', ()), chosen)
        return results
