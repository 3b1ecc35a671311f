"""Drops vectors of sequences at random: data that are missing at a given rate (EMT-DLFR)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.transforms.corruption import clip_generator
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class DropVectors(BaseTransform):
    """Sets each vector of some sequences to 0 with a given probability; of words, the id becomes the unknown one.

    Put the transform behind the ones that read the streams. Required keys: the names of the streams, each with
    ``(T, D)`` numbers or ``(T,)`` ids. Streams that the clip lacks are left out.

    Args:
        streams: Streams whose vectors are dropped.
        rate: Probability for each vector, the missing rate.
        keep_ends: Streams of vectors whose first and last one are kept, such as the output of BERT. The first and
            last ids of tokens are always kept.
        unknown_id: Id that replaces a dropped one (100 is the unknown word of BERT).
        seed: A clip lacks the same vectors in every test, and at a higher rate those and others. ``None`` means it
            lacks other ones each time, for training.

    Raises:
        ValueError: If the rate is not between 0 and 1, or no stream is named.

    Example:
        >>> drop = DropVectors(streams=('audio',), rate=1.0)
        >>> drop(dict(audio=np.ones((2, 3)), sample_id='a'))['audio'].sum()
        np.float64(0.0)
    """

    def __init__(
        self,
        streams: Sequence[str],
        rate: float,
        keep_ends: Sequence[str] = (),
        unknown_id: int = 100,
        seed: int | None = 0,
    ) -> None:
        if not 0 <= rate <= 1 or not streams or isinstance(streams, str):
            raise ValueError(f'rate must be from 0 to 1, and streams a list of names, got {rate} and {streams!r}')
        self.streams, self.keep_ends = tuple(streams), tuple(keep_ends)
        self.rate, self.unknown_id, self.seed = rate, unknown_id, seed

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Drops vectors."""
        generator = clip_generator(results, self.seed)
        for name in self.streams:
            values = results.get(name)
            if values is None or isinstance(values, str) or name in results.get('absent_streams', ()):
                continue  # a text is a column of the list that no transform has read as a stream
            results[name] = self._dropped(np.array(values), name, generator)
        return results

    def _dropped(self, values: np.ndarray, name: str, generator: np.random.Generator) -> np.ndarray:
        are_ids = values.dtype.kind in 'iu'
        is_dropped = generator.random(len(values)) < self.rate
        if are_ids or name in self.keep_ends:
            is_dropped[:1] = is_dropped[-1:] = False
        values[is_dropped] = self.unknown_id if are_ids else 0
        return values
