"""Frames of a clip as a stream of another name, for models that are trained on several kinds of clips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform

from hicmae_mm.registry import TRANSFORMS


@TRANSFORMS.register_module()
class ClipAsStream(BaseTransform):
    """Gives the frames the name of a stream, and the class the name of a target.

    A model of videos and images is trained on a ``ConcatDataset`` of two lists: the pictures of one become the stream
    ``image`` and its classes the target ``expression``, while the videos of the other stay what they are. Each names
    the streams and the targets that its clips lack. Heads with ``ignore`` leave out clips that lack their target.

    Required keys: ``imgs``, ``streams`` and, with ``target``, ``gt_label``. Added keys: the stream's name,
    ``absent_streams``, ``targets`` and ``left_out``, which the packing transform must keep
    (``meta_keys=('left_out',)``). Removed keys: ``imgs`` and ``gt_label``, if they are renamed.

    Args:
        stream: Name of the stream that the frames become.
        target: Name of the target that the class becomes; ``None`` means it stays the label.
        absent: Streams of the model that the clip lacks.
        left_out: Targets of the model's heads that the clip lacks.

    Example:
        >>> frames = [np.zeros((4, 4, 3), np.uint8)] * 2
        >>> results = dict(imgs=frames, streams=('video',), gt_label=3)
        >>> results = ClipAsStream('image', 'expression', absent=('video',))(results)
        >>> results['image'].shape, results['targets']
        ((1, 2, 4, 4, 3), {'expression': 3})
    """

    def __init__(
        self,
        stream: str = 'video',
        target: str | None = None,
        absent: Sequence[str] = (),
        left_out: Sequence[str] = (),
    ) -> None:
        if stream in absent:
            raise ValueError(f'the clip cannot lack the stream {stream!r} that its frames become')
        self.stream, self.target, self.absent = stream, target, tuple(absent)
        self.left_out = tuple(left_out)

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Renames frames and class."""
        if self.stream != 'video':
            frames = np.stack(results.pop('imgs'))  # (V * T, H, W, 3)
            results[self.stream] = frames.reshape(results.get('num_clips', 1), -1, *frames.shape[1:])
            results['streams'] = tuple(self.stream if name == 'video' else name for name in results['streams'])
        if self.target is not None and 'gt_label' in results:  # own media have no class
            results.setdefault('targets', {})[self.target] = results.pop('gt_label')
        results['absent_streams'] = (*results.get('absent_streams', ()), *self.absent)
        results['left_out'] = self.left_out
        return results
