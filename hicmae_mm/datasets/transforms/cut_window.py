"""Cuts a window out of a long recording whose streams are sequences of features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.transforms.sources import cell_of
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CutWindow(BaseTransform):
    """Keeps the rows of a window in sequences of features, and in all targets per frame.

    Features and targets have a row for each frame of the recording. Put it behind
    ``LoadFeature(level='frame', name_column='recording')`` and ``LoadFrameTargets``.

    Required keys: the sequences, and the columns of the list with the first frame of the window and the number of its
    frames. Changed keys: the sequences and ``targets``. Added key: ``first_frame``, which ``FrameMetric`` needs
    (``PackStreams(meta_keys=('first_frame',))``).

    Args:
        sequences: Keys of the sequences, ``(T, D)`` each. Those that a clip lacks are left out.
        first: Column with the number of the first frame, from 0.
        count: Column with the number of frames.
        max_missing: Rows that a sequence may lack at the end of a window; its last row stands for them. Feature
            extractors often give a row less than there are frames.

    Raises:
        ValueError: If ``max_missing`` is below 0.

    Example:
        >>> cut = CutWindow(['face'])
        >>> results = dict(face=np.arange(6).reshape(6, 1), columns=dict(first_frame='2', num_frames='3'))
        >>> cut(results)['face'].ravel()
        array([2, 3, 4])
    """

    def __init__(
        self, sequences: Sequence[str], first: str = 'first_frame', count: str = 'num_frames', max_missing: int = 0
    ) -> None:
        if max_missing < 0:
            raise ValueError(f'max_missing must be at least 0, got {max_missing}')
        self.sequences, self.first, self.count, self.max_missing = tuple(sequences), first, count, max_missing

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Cuts the window out of the sequences and the targets.

        Raises:
            MediaError: If a sequence or a target has too few rows.
            ValueError: If the list lacks a column, or the column does not contain a whole number.
        """
        first, count = (self._number(results, name) for name in (self.first, self.count))
        for name in self.sequences:
            if name in results and not isinstance(results[name], str):
                results[name] = self._cut(np.asarray(results[name]), name, first, count)
        if 'targets' in results:
            results['targets'] = {
                name: self._cut(np.asarray(rows), f'the target {name}', first, count)
                for name, rows in results['targets'].items()
            }
        results['first_frame'] = first
        return results

    def _number(self, results: dict[str, Any], column: str) -> int:
        cell = cell_of(results, column)
        try:
            return int(cell)
        except (TypeError, ValueError):
            raise ValueError(f'column {column}: expected a whole number of frames, got {cell!r}') from None

    def _cut(self, rows: np.ndarray, name: str, first: int, count: int) -> np.ndarray:
        missing = max(first + count - len(rows), 0)
        if missing > self.max_missing or missing >= count:
            raise MediaError(
                f'{name} has {len(rows)} rows, the window is from {first} to {first + count}; extract a row for each '
                f'frame, or raise max_missing (now {self.max_missing}), which repeats the last row'
            )
        part = rows[first : first + count]
        return np.concatenate([part, part[-1:].repeat(missing, axis=0)]) if missing else part
