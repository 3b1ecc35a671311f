"""Defines the last transform of a pipeline, which turns a results dict into what travels to the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import EmotionDataSample, Padded, Stream

_META_KEYS = ('sample_id', 'sample_idx', 'video_path', 'audio_path')
_ARRAY_KEYS = {'video': 'imgs', 'audio': 'spectrograms'}


@TRANSFORMS.register_module()
class PackStreams(BaseTransform):
    """Packs the streams, masks and labels of a clip.

    Returns a dict of ``inputs`` (by stream: a tensor ``(V, ...)`` of V views, or
    :class:`~hicmae_mm.structures.Padded` of V rows), ``masks`` (name to (V, N) bool; only if a transform made any),
    ``absent_streams`` (names; only if the clip does without a stream on purpose, by ``DropStream``) and
    ``data_samples``, one :class:`EmotionDataSample`.

    Args:
        arrays: Streams of one size. ``video`` comes from the frames, uint8 (V, T, H, W, 3), ``audio`` from the
            spectrograms, float32 (V, 1, T, F), if a transform read any. Otherwise the name is the key under which a
            transform left ``(V, ...)``.
        sequences: Streams whose length differs between clips: name of the stream, and the key under which a transform
            left ``(T, ...)``, or a list of V of them.
        meta_keys: Further keys of the results to keep as meta information of the sample. The columns of a table, other
            than paths and labels, are kept as ``columns``.
        optional: Whether a clip may do without some of the streams. The batch then refuses it, unless a transform
            dropped the stream on purpose.

    Example:
        >>> pack = PackStreams(arrays=(), sequences=dict(text='token_ids'))
        >>> packed = pack(dict(token_ids=np.array([3, 1, 4]), streams=('text',), sample_id='a'))
        >>> packed['inputs']['text'].values
        tensor([[3, 1, 4]])
    """

    def __init__(
        self,
        arrays: Sequence[str] = ('video', 'audio'),
        sequences: Mapping[str, str] | None = None,
        meta_keys: Sequence[str] = (),
        optional: bool = False,
    ) -> None:
        self.arrays = tuple(arrays)
        self.sequences = dict(sequences or {})
        both = set(self.arrays) & set(self.sequences)
        if both or not (self.arrays or self.sequences):
            raise ValueError(
                f'every stream is an array or a sequence, got arrays={self.arrays}, sequences={self.sequences}'
            )
        self.meta_keys = tuple(meta_keys)
        self.optional = optional

    @property
    def streams(self) -> tuple[str, ...]:
        """Names of all streams."""
        return (*self.arrays, *self.sequences)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs the results.

        Raises:
            ValueError: If a stream is not in the results, or a warp was planned and not carried out.
        """
        if 'pending_warp' in results:
            raise ValueError(
                'the warp of ClipRandAugment(is_fused=True) was not applied; put RandomResizedCropFlip after it'
            )
        num_views = results.get('num_clips', 1)
        absent = tuple(name for name in results.get('absent_streams', ()) if name in self.streams)
        inputs: dict[str, Stream] = {}
        for name in self.arrays:
            made = _ARRAY_KEYS.get(name, name)
            if name not in absent and self._was_read(name, made if made in results else name, results):
                inputs[name] = self._array(name, results, num_views)
        for name, key in self.sequences.items():
            if name not in absent and self._was_read(name, key, results):
                inputs[name] = _sequences(results[key], num_views)
        lacking = [name for name in self.streams if name not in inputs and name not in absent]
        if not inputs or (lacking and not self.optional):
            raise ValueError(
                f'nothing to pack for the streams {lacking}: {type(self).__name__} has the streams {self.streams}, '
                f'the data set streams={tuple(results["streams"])}; is a transform missing that reads them, such as '
                'DecodeFrames, Filterbank or LoadFeature?'
            )
        packed: dict[str, Any] = dict(inputs=inputs, data_samples=self._data_sample(results, num_views))
        if results.get('masks'):
            packed['masks'] = {
                name: torch.from_numpy(mask).expand(num_views, -1) for name, mask in results['masks'].items()
            }
        if absent:
            packed['absent_streams'] = absent
        return packed

    @staticmethod
    def _was_read(name: str, key: str, results: dict[str, Any]) -> bool:
        """Tells whether there is something to pack."""
        is_column = isinstance(results.get(key), str) and name not in results['streams']  # of the list
        return key in results and not is_column

    def _array(self, name: str, results: dict[str, Any], num_views: int) -> Tensor:
        if name == 'video' and 'imgs' in results:
            frames = torch.from_numpy(np.stack(results['imgs']))  # (V*T, H, W, 3)
            views: Tensor = frames.unflatten(0, (num_views, -1))
            return views
        if name == 'audio' and 'spectrograms' in results:
            spectrograms: Tensor = results['spectrograms'].unsqueeze(1).contiguous()  # (V, T, F) -> (V, 1, T, F)
            return spectrograms
        if isinstance(results[name], str):
            raise ValueError(
                f'{name} is a text; is a transform missing that reads it, such as LoadFeature or Tokenize?'
            )
        array = torch.as_tensor(results[name])
        if array.ndim < 1 or len(array) != num_views:
            raise ValueError(
                f'{name}: expected one array per view, ({num_views}, ...), got {tuple(array.shape)}; a stream of one '
                'array per clip, or of any length, is packed by sequences'
            )
        return array

    def _data_sample(self, results: dict[str, Any], num_views: int) -> EmotionDataSample:
        keys = [*_META_KEYS, *(key for key in ('columns', 'span') if key in results), *self.meta_keys]
        sample = EmotionDataSample(metainfo=dict(num_views=num_views, **{key: results.get(key) for key in keys}))
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        if 'gt_values' in results:
            sample.set_gt_values(results['gt_values'])
        if 'gt_score' in results:
            sample.set_gt_score(results['gt_score'])
        for name, target in results.get('targets', {}).items():
            sample.set_target(name, target)
        return sample


@TRANSFORMS.register_module()
class PackAudioVisual(PackStreams):
    """Packs frames and spectrograms: :class:`PackStreams` for ``video`` and ``audio``.

    Args:
        streams: Streams to pack, as far as the data set has them.
        meta_keys: Further keys of the results to keep as meta information of the sample.

    Example:
        >>> import torch
        >>> results = dict(streams=('audio',), spectrograms=torch.randn(1, 32, 16), gt_label=2)
        >>> packed = PackAudioVisual(streams=('audio',))(results)
        >>> packed['inputs']['audio'].shape, packed['data_samples'].gt_label
        (torch.Size([1, 1, 32, 16]), tensor([2]))
    """

    def __init__(self, streams: Sequence[str] = ('video', 'audio'), meta_keys: Sequence[str] = ()) -> None:
        if not streams or set(streams) - {'video', 'audio'}:
            raise ValueError(
                f"streams must be some of 'video' and 'audio', got {tuple(streams)}; PackStreams packs others"
            )
        super().__init__(streams, meta_keys=meta_keys, optional=True)


def _sequences(value: Any, num_views: int) -> Padded:
    """Returns one sequence for all views, or a list of one per view."""
    if isinstance(value, str):
        raise ValueError(f'expected a sequence, got the text {value[:40]!r}; is a transform missing, such as Tokenize?')
    views = value if isinstance(value, (list, tuple)) else [value] * num_views
    if len(views) != num_views:
        raise ValueError(f'expected {num_views} sequences, one per view, got {len(views)}')
    return Padded.stack([torch.as_tensor(view) for view in views])
