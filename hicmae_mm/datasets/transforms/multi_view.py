"""Several views of a sample, each by a pipeline of its own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose
from torch import Tensor

from hicmae_mm.registry import TRANSFORMS
from hicmae_mm.structures import Padded, Stream


@TRANSFORMS.register_module()
class MultiView(BaseTransform):
    """Runs several pipelines over a sample and joins what they packed: a sample of all their views.

    It is the last transform of a pipeline. Views of one sample are neighbouring rows of a batch. Heads repeat the label
    for them while training, and average the predictions over them in a test. An objective finds them by ``num_views``.

    Args:
        pipelines: The pipelines. Each ends with ``PackStreams`` or ``PackAudioVisual``, and all pack the same streams.

    Raises:
        ValueError: If there are fewer than two pipelines.
    """

    def __init__(self, pipelines: Sequence[Sequence[dict[str, Any] | Callable[..., Any]]]) -> None:
        if len(pipelines) < 2:
            raise ValueError(f'pipelines must list at least two pipelines, got {len(pipelines)}')
        self.pipelines = [
            Compose([TRANSFORMS.build(step) if isinstance(step, Mapping) else step for step in steps])
            for steps in pipelines
        ]

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Packs all views.

        Raises:
            ValueError: If a video was opened before, or the pipelines pack different streams.
        """
        if results.get('video_reader') is not None:
            raise ValueError('MultiView must stand before OpenVideo: each of its pipelines opens the video')
        views = [pipeline(_copy(results)) for pipeline in self.pipelines]
        first = views[0]
        for view in views:
            if not isinstance(view, dict) or 'inputs' not in view:
                raise ValueError('each pipeline of MultiView must end with PackStreams')
            for key in ('inputs', 'masks'):
                if view.get(key, {}).keys() != first.get(key, {}).keys():
                    raise ValueError(
                        f'the pipelines of MultiView pack different {key}: {sorted(first.get(key, {}))} and '
                        f'{sorted(view.get(key, {}))}'
                    )
        joined = dict(first)
        for key in ('inputs', 'masks'):
            if key in first:
                joined[key] = {name: _join([view[key][name] for view in views]) for name in first[key]}
        num_views = sum(int(view['data_samples'].num_views) for view in views)
        joined['data_samples'].set_field(num_views, 'num_views', field_type='metainfo')
        return joined


def _join(parts: Sequence[Stream]) -> Stream:
    sequences = [part for part in parts if isinstance(part, Padded)]
    arrays = [part for part in parts if isinstance(part, Tensor)]
    if len(sequences) == len(parts):
        return Padded.cat(sequences)
    shapes = {tuple(part.shape[1:]) for part in parts}
    if sequences or len(shapes) > 1:
        raise ValueError(f'the views of MultiView differ in size, {sorted(shapes)}; give all of them one size')
    return torch.cat(arrays)


def _copy(results: Mapping[str, Any]) -> dict[str, Any]:
    """Copies what transforms may change in place; readers of shards are shared."""
    kinds = (list, dict, np.ndarray, Tensor)
    return {key: copy.deepcopy(value) if isinstance(value, kinds) else value for key, value in results.items()}
