"""Pictures of a further camera as a stream of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.dataset import Compose

from hicmae_mm.datasets.transforms.sources import cell_of, path_below
from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class CameraStream(BaseTransform):
    """Reads the pictures of a further camera by a pipeline of its own.

    The column with the name of the stream names the video. The pipeline sees it as ``video``: ``OpenVideo``,
    ``DecodeFrames`` and the transforms of frames work as for the first camera. Without ``SampleClips`` it reads the
    frames that were chosen before for the first camera, so that both show the same moments.

    Required keys: ``streams``, ``columns``. Added key: the name of the stream, ``(V, T, H, W, 3)`` uint8, which
    ``PackStreams(arrays=...)`` packs. Without the stream nothing happens.

    Args:
        stream: Name of the stream and of the column.
        pipeline: Transforms that leave ``imgs``.

    Raises:
        ValueError: If the stream is called ``video`` or ``audio``.
    """

    def __init__(self, stream: str, pipeline: Sequence[dict[str, Any] | Callable[..., Any]]) -> None:
        if stream in ('video', 'audio'):
            raise ValueError(f'stream must be the name of a further camera, such as video_left, got {stream!r}')
        self.stream = stream
        self.pipeline = Compose([TRANSFORMS.build(step) if isinstance(step, Mapping) else step for step in pipeline])

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Adds the pictures.

        Raises:
            FileNotFoundError: If there is no such video.
            MediaError: If it is broken, or the cell is empty.
            ValueError: If the clip comes from a shard or from the inferencer, or the pipeline decodes nothing or makes
                another number of views.
        """
        if self.stream not in results['streams']:
            return results
        if results.get('packed_clip') is not None:
            raise ValueError(
                f'{self.stream}: shards and inference have the pictures of one camera; read a list of files, or leave '
                'the stream out'
            )
        own = {key: value for key, value in results.items() if key not in ('imgs', 'video_reader')}
        path = path_below(results, str(cell_of(results, self.stream)), self.stream)
        own = self.pipeline({**own, 'streams': ('video',), 'video_path': path})
        if 'imgs' not in own:
            raise ValueError(f'the pipeline of {self.stream} decodes no frames; it needs OpenVideo and DecodeFrames')
        num_views = own.get('num_clips', 1)
        if results.get('num_clips', num_views) != num_views:
            raise ValueError(
                f'{self.stream} has {num_views} views, the clip {results["num_clips"]}; use one SampleClips'
            )
        results.setdefault('num_clips', num_views)
        frames = np.stack(own['imgs'])  # (V * T, H, W, 3)
        results[self.stream] = frames.reshape(num_views, -1, *frames.shape[1:])
        return results
