"""Make one row for each clip from the features of its views: averages, labels, predictions, and time stamps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hicmae_mm.datasets.filterbank import FRAME_LENGTH_MS, FRAME_SHIFT_MS
from hicmae_mm.features.extractor import FeatureExtractor
from hicmae_mm.models.heads.base import views_per_clip
from hicmae_mm.structures import EmotionDataSample, Padded, Stream

SAMPLE_FIELDS = ('gt_label', 'gt_values', 'pred_label', 'pred_score', 'pred_values')
# information about time that the pipeline packs if its meta_keys contain these names
TIME_KEYS = ('frame_inds', 'clip_len', 'avg_fps', 'audio_seconds')
_ROUNDING_SECONDS = 1e-6


def sample_fields(sample: EmotionDataSample) -> dict[str, np.ndarray]:
    """Collects the labels and predictions of a clip.

    Args:
        sample: The clip.

    Returns:
        The fields of :data:`SAMPLE_FIELDS` that the sample has. Class indices have the shape ``()``, others ``(n,)``.
    """
    found = {name: sample.get(name).cpu().numpy() for name in SAMPLE_FIELDS if name in sample}
    return {name: value[0] if name in ('gt_label', 'pred_label') else value for name, value in found.items()}


class RowMaker:
    """Makes the rows of the clips of a batch.

    Args:
        extractor: Computes the features. The token grids of its encoders determine the length of a time step.
        keeps_views: Whether the views of a clip are kept separately.
    """

    def __init__(self, extractor: FeatureExtractor, keeps_views: bool = False) -> None:
        self.level, self.keeps_views = extractor.level, keeps_views
        encoders = {name: extractor.model.encoders[name] for name in extractor.encoded_streams}
        self.streams = tuple(encoders)
        on_grids = {name: encoder for name, encoder in encoders.items() if hasattr(encoder, 'grid')}
        self.steps = {name: encoder.grid[0] for name, encoder in on_grids.items()}  # without a grid, times are unknown
        self.patch = {name: encoder.patch[0] for name, encoder in on_grids.items()}

    @property
    def is_ragged(self) -> bool:
        """Returns whether features have an additional axis (views or time steps) whose length differs between clips."""
        return self.keeps_views or self.level == 'frame'

    def __call__(
        self, columns: Mapping[str, Stream], batch: Mapping[str, Any], indices: Sequence[int]
    ) -> list[dict[str, Any]]:
        """Makes the rows of a batch.

        Args:
            columns: Features of the views; see :class:`~hicmae_mm.features.FeatureExtractor`.
            batch: The collated batch from which they were computed.
            indices: Numbers of its clips in the data set.

        Returns:
            One row for each clip with ``index``, ``sample_id``, ``streams`` (those that the clip has), labels,
            predictions and features. Features have the shape ``(D,)`` at level ``'clip'`` and ``(rows, D)`` at level
            ``'frame'``, with the steps of one temporal view after the other, and crops of the same frames averaged.
            With ``keeps_views`` the shape is ``(views, D)`` or ``(views, steps, D)``. Level ``'frame'`` adds
            ``{stream}_seconds``, the time at which a step begins, for encoders with a grid. A sequence that is the same
            in all views, such as words, is stored once, averaged over the views. For a stream that the clip lacks,
            features are 0 at level ``'clip'`` and have no rows at level ``'frame'``.

        Raises:
            ValueError: If views are kept of sequences, whose length differs between clips.
        """
        samples: list[EmotionDataSample] = batch['data_samples']
        edges = np.cumsum([0, *views_per_clip(samples)])
        arrays = {name: self._of_batch(column, name) for name, column in columns.items()}
        rows = []
        for clip, (sample, index) in enumerate(zip(samples, indices)):
            part = slice(int(edges[clip]), int(edges[clip + 1]))
            has = [name for name in self.streams if _is_present(batch, name, part.start)]
            row = dict(index=int(index), sample_id=str(sample.get('sample_id', '')), streams=' '.join(has))
            seconds = self._seconds(sample) if self.level == 'frame' else {}
            num_crops = _crops(sample, part.stop - part.start) if self.level == 'frame' and self.steps else 1
            repeated = [name for name in has if _is_repeated(batch['inputs'][name], part)]
            values = {
                name: self._of_views(views[part], len(views[part]) if _is_of_any(name, repeated) else num_crops)
                for name, views in arrays.items()
            }
            for name, times in seconds.items():
                values[f'{name}_seconds'] = np.repeat(times, num_crops, axis=0) if self.keeps_views else times.ravel()
            if self.level == 'frame':
                absent = [name for name in self.streams if name not in has]
                values = {name: value[:0] if _is_of_any(name, absent) else value for name, value in values.items()}
            rows.append(row | sample_fields(sample) | values)
        return rows

    def _of_batch(self, column: Stream, name: str) -> Sequence[np.ndarray]:
        """Returns the views of all clips, without padding."""
        if not isinstance(column, Padded):
            array: np.ndarray = column.cpu().numpy()
            return array  # type: ignore[return-value]
        if self.keeps_views:
            raise ValueError(
                f'clips differ in the length of {name}, and every view is stored as (views, steps, D) of one number of '
                'steps: leave --views out, or choose other streams'
            )
        values, lengths = column.values.cpu().numpy(), column.lengths.tolist()
        return [value[:length] for value, length in zip(values, lengths)]

    def _of_views(self, views: Sequence[np.ndarray], num_crops: int) -> np.ndarray:
        if self.keeps_views:
            return np.asarray(views)
        if self.level == 'clip':
            means: np.ndarray = np.asarray(views).mean(axis=0)
            return means
        starts = range(0, len(views), num_crops)
        # the crops of a temporal view have one length: (temporal views' steps, D)
        return np.concatenate([np.asarray(views[start : start + num_crops]).mean(axis=0) for start in starts])

    def _seconds(self, sample: EmotionDataSample) -> dict[str, np.ndarray]:
        """Computes the start of every step ``(temporal views, steps)``; NaN if it is unknown or the sound has ended."""
        found = {}
        if 'video' in self.steps:
            found['video'] = self._video_seconds(sample)
        if 'audio' in self.steps:
            spans = np.asarray(sample.get('audio_seconds') or [(np.nan, np.nan)] * _temporal_views(sample))
            steps = np.arange(self.steps['audio']) * self.patch['audio'] * FRAME_SHIFT_MS / 1000
            times = spans[:, :1] + steps
            is_padding = times + FRAME_LENGTH_MS / 1000 > spans[:, 1:] + _ROUNDING_SECONDS
            found['audio'] = np.where(is_padding, np.nan, times)
        return {name: times.astype(np.float32) for name, times in found.items()}

    def _video_seconds(self, sample: EmotionDataSample) -> np.ndarray:
        frames = np.asarray(sample.get('frame_inds')).reshape(_temporal_views(sample), -1)
        fps = sample.get('avg_fps') or np.nan  # a folder of frames may have no frame rate
        return frames[:, :: self.patch['video']] / fps


def _temporal_views(sample: EmotionDataSample) -> int:
    return len(sample.get('frame_inds')) // int(sample.get('clip_len'))


def _crops(sample: EmotionDataSample, num_views: int) -> int:
    """Computes the number of crops of every temporal view."""
    return num_views // _temporal_views(sample)


def _is_present(batch: Mapping[str, Any], stream: str, view: int) -> bool:
    rows = (batch.get('present') or {}).get(stream)
    return stream in batch['inputs'] and (rows is None or bool(rows[view]))


def _is_repeated(stream: Stream, views: slice) -> bool:
    """Tells whether all views of a clip are one sequence, such as its words."""
    if not isinstance(stream, Padded):
        return False
    values, lengths = stream.values[views], stream.lengths[views]
    return bool((lengths == lengths[0]).all()) and bool((values == values[:1]).all())


def _is_of_any(column: str, streams: Sequence[str]) -> bool:
    return any(
        column in (f'fusion_{name}', f'{name}_seconds') or column.startswith(f'{name}_layer') for name in streams
    )
