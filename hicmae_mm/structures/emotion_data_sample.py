"""Annotation and prediction of one clip."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor


def _as_vector(value: Tensor | np.ndarray | Sequence[float] | float, name: str) -> Tensor:
    vector = torch.as_tensor(value, dtype=torch.float32)
    if vector.ndim == 0:
        vector = vector.unsqueeze(0)
    if vector.ndim != 1 or vector.numel() == 0:
        raise ValueError(
            f'{name} must be a number or a vector with at least one entry, got shape {tuple(vector.shape)}'
        )
    return vector


class EmotionDataSample(BaseDataElement):
    """Labels, soft labels, values and predictions of one clip.

    Targets and predictions may have other names too: :meth:`set_target` keeps ``gt_{name}`` of any shape, such as one
    class or several values per frame, and heads with ``target=name`` read it.

    Data fields, all optional: ``gt_label`` (1,) int64, ``gt_score`` (C,) soft labels (after mixup), ``gt_values`` (D,)
    regression targets, ``pred_score`` (C,) probabilities averaged over views, ``pred_label`` (1,) int64,
    ``pred_values`` (D,), ``pred_view_scores`` (V, C).

    Meta fields: ``sample_id``, ``sample_idx``, ``video_path``, ``audio_path``, ``num_views`` and whatever the packing
    transform is told to keep.
    """

    def set_gt_label(self, value: int | Tensor) -> EmotionDataSample:
        """Sets the class index, and returns the sample.

        Raises:
            ValueError: If the index is negative or not a single number.
            TypeError: If it is not an integer.
        """
        label = torch.as_tensor(value)
        if label.is_floating_point() or label.dtype == torch.bool:
            raise TypeError(f'gt_label must be an integer class index, got {value!r}')
        if label.numel() != 1 or int(label) < 0:
            raise ValueError(f'gt_label must be one class index of at least 0, got {value!r}')
        self.set_field(label.reshape(1).long(), 'gt_label', dtype=Tensor)
        return self

    def set_gt_score(self, value: Tensor | np.ndarray | Sequence[float]) -> EmotionDataSample:
        """Sets the soft label ``(C,)``, and returns the sample."""
        self.set_field(_as_vector(value, 'gt_score'), 'gt_score', dtype=Tensor)
        return self

    def set_gt_values(self, value: Tensor | np.ndarray | Sequence[float] | float) -> EmotionDataSample:
        """Sets the regression targets ``(D,)``, and returns the sample."""
        self.set_field(_as_vector(value, 'gt_values'), 'gt_values', dtype=Tensor)
        return self

    def set_target(self, name: str, value: Tensor | np.ndarray | Sequence[float] | float) -> EmotionDataSample:
        """Sets the target ``gt_{name}``: a number, ``(D,)``, or one entry per frame, ``(T,)`` or ``(T, D)``.

        Raises:
            ValueError: If the name belongs to a target with a method of its own, or is no identifier.
        """
        if name in ('label', 'score', 'values') or not name.isidentifier():
            raise ValueError(f'a target cannot be called {name!r}; label, score and values have methods of their own')
        self.set_field(torch.as_tensor(value), f'gt_{name}', dtype=Tensor)
        return self

    def target(self, name: str) -> Tensor:
        """Returns the target of a name, as set.

        Raises:
            KeyError: If the sample has no such target.
        """
        if f'gt_{name}' not in self:
            known = sorted(key.removeprefix('gt_') for key in self.keys() if key.startswith('gt_'))
            raise KeyError(f'{self.get("sample_id", "a sample")} has no target {name!r}, only {known}')
        target: Tensor = self.get(f'gt_{name}')
        return target

    def set_prediction(self, field: str, value: Tensor) -> EmotionDataSample:
        """Sets a prediction ``pred_...`` of any shape, such as one row per frame."""
        self.set_field(value, field, dtype=Tensor)
        return self

    def set_pred_score(self, value: Tensor | np.ndarray | Sequence[float]) -> EmotionDataSample:
        """Sets the class scores ``(C,)`` and ``pred_label``, the class of the largest score, and returns the sample."""
        score = _as_vector(value, 'pred_score')
        self.set_field(score, 'pred_score', dtype=Tensor)
        self.set_field(score.argmax().reshape(1), 'pred_label', dtype=Tensor)
        return self

    def set_pred_values(self, value: Tensor | np.ndarray | Sequence[float] | float) -> EmotionDataSample:
        """Sets the predicted values ``(D,)``, and returns the sample."""
        self.set_field(_as_vector(value, 'pred_values'), 'pred_values', dtype=Tensor)
        return self
