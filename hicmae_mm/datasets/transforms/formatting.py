"""The last transform of a pipeline: from a results dict to what travels to the model."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from torch import Tensor

from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import EmotionDataSample

_META_KEYS = ('sample_id', 'sample_idx', 'video_path', 'audio_path')


@TRANSFORMS.register_module()
class PackAudioVisual(BaseTransform):
    """Packs frames, spectrograms, masks and labels.

    Returns a dict of ``inputs`` (``video`` uint8 (V, T, H, W, 3), ``audio`` float32 (V, 1, T, F)), ``masks`` (name to
    (V, N) bool; only if a transform made any), ``absent_streams`` (names; only if the clip does without a stream on
    purpose, by ``DropStream``) and ``data_samples``, one :class:`EmotionDataSample`.

    Args:
        streams: Streams to pack, as far as the data set has them.
        meta_keys: Further keys of the results to keep as meta information of the sample.
    """

    def __init__(self, streams: tuple[str, ...] = ('video', 'audio'), meta_keys: tuple[str, ...] = ()) -> None:
        unknown = set(streams) - {'video', 'audio'}
        if unknown or not streams:
            raise ValueError(f"streams must be some of 'video' and 'audio', got {tuple(streams)}")
        self.streams = tuple(streams)
        self.meta_keys = tuple(meta_keys)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs the results.

        Raises:
            ValueError: If the data set has none of the streams, or a warp was planned and not carried out.
        """
        if 'pending_warp' in results:
            raise ValueError('ClipRandAugment(is_fused=True) left a warp to RandomResizedCropFlip, which is not there')
        num_views = results['num_clips']
        inputs: dict[str, Tensor] = {}
        if 'video' in self.streams and 'imgs' in results:
            frames = torch.from_numpy(np.stack(results['imgs']))  # (V*T, H, W, 3)
            inputs['video'] = frames.unflatten(0, (num_views, -1))
        if 'audio' in self.streams and 'spectrograms' in results:
            inputs['audio'] = results['spectrograms'].unsqueeze(1).contiguous()  # (V, T, F) -> (V, 1, T, F)
        if not inputs:
            raise ValueError(
                f'nothing to pack: PackAudioVisual has streams={self.streams}, '
                f'the data set streams={tuple(results["streams"])}; DecodeFrames or Filterbank missing in the pipeline?'
            )
        packed: dict[str, Any] = dict(inputs=inputs, data_samples=self._data_sample(results, num_views))
        if results.get('masks'):
            packed['masks'] = {
                name: torch.from_numpy(mask).expand(num_views, -1) for name, mask in results['masks'].items()
            }
        absent = tuple(name for name in results.get('absent_streams', ()) if name in self.streams)
        if absent:
            packed['absent_streams'] = absent
        return packed

    def _data_sample(self, results: dict[str, Any], num_views: int) -> EmotionDataSample:
        keys = [*_META_KEYS, *self.meta_keys]
        sample = EmotionDataSample(metainfo=dict(num_views=num_views, **{key: results.get(key) for key in keys}))
        if 'gt_label' in results:
            sample.set_gt_label(results['gt_label'])
        if 'gt_values' in results:
            sample.set_gt_values(results['gt_values'])
        return sample
