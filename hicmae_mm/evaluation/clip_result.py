"""Describes what a model predicts for one clip and how good that is, to rank clips and to draw them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from mmengine.structures import BaseDataElement


@dataclass
class ClipResult:
    """Stores prediction and annotation of a clip, and what of it can be shown.

    Attributes:
        sample_id: Name of the clip.
        names: C classes, or D dimensions.
        predicted: ``(C,)`` scores, or ``(D,)`` values.
        label: Annotated class, if known.
        values: ``(D,)`` annotated values, if known.
        is_regression: Whether ``predicted`` are values.
        frames: ``(T, H, W, 3)`` uint8, if the model sees pictures.
        spectrogram: ``(T, F)`` log-mel energies, if it hears sound.
    """

    sample_id: str
    names: list[str]
    predicted: np.ndarray
    label: int | None = None
    values: np.ndarray | None = None
    is_regression: bool = False
    frames: np.ndarray | None = None
    spectrogram: np.ndarray | None = None

    @classmethod
    def of(cls, sample: Mapping[str, Any] | BaseDataElement, metainfo: Mapping[str, Any] | None = None) -> ClipResult:
        """Takes a data sample with its prediction, or what ``tools/test.py --out`` has kept of it.

        Classes count, if there are both classes and values.

        Args:
            sample: Data sample with ``pred_score`` or ``pred_values``; ``gt_label``, ``gt_values`` and ``sample_id`` if
                known.
            metainfo: Meta information of the data set. ``classes`` or ``dimensions`` are the names.

        Raises:
            ValueError: If there is no prediction.
        """
        metainfo, name = metainfo or {}, str(sample.get('sample_id', 'clip'))
        score, values = sample.get('pred_score'), sample.get('pred_values')
        if score is not None:
            predicted, label = _array(score), sample.get('gt_label')
            names = names_for(metainfo.get('classes'), len(predicted))
            return cls(name, names, predicted, None if label is None else int(_array(label)[0]))
        if values is None:
            raise ValueError(f'sample {name!r} has neither pred_score nor pred_values')
        predicted, target = _array(values), sample.get('gt_values')
        names = names_for(metainfo.get('dimensions'), len(predicted))
        return cls(name, names, predicted, None, None if target is None else _array(target), is_regression=True)

    def add_inputs(self, inputs: Mapping[str, Any], view: int = 0) -> ClipResult:
        """Keeps frames and spectrogram of one view of collated inputs (``video (V, T, H, W, 3)``, ``audio``)."""
        if 'video' in inputs:
            self.frames = np.asarray(inputs['video'][view].cpu())
        if 'audio' in inputs:
            self.spectrogram = np.asarray(inputs['audio'][view][0].cpu())
        return self

    @property
    def is_annotated(self) -> bool:
        """Returns whether the right answer is known."""
        return self.values is not None if self.is_regression else self.label is not None

    @property
    def goodness(self) -> float:
        """Returns the score of the true class; of values, minus the mean absolute error.

        It is NaN without annotation.
        """
        if self.is_regression:
            return float('nan') if self.values is None else -float(np.abs(self.predicted - self.values).mean())
        return float('nan') if self.label is None else float(self.predicted[self.label])

    @property
    def title(self) -> str:
        """Returns the clip's name and what was said about it."""
        if self.is_regression:
            return self.sample_id if self.values is None else f'{self.sample_id}: mean error {-self.goodness:.2f}'
        said = self.names[int(self.predicted.argmax())]
        return f'{self.sample_id}: {said}' + ('' if self.label is None else f' (true: {self.names[self.label]})')


def rank(results: Iterable[ClipResult]) -> list[ClipResult]:
    """Returns the annotated clips, the best first; equally good ones by name.

    Raises:
        ValueError: If none is annotated.
    """
    ranked = sorted((r for r in results if r.is_annotated), key=lambda r: (-r.goodness, r.sample_id))
    if not ranked:
        raise ValueError('no clip has a label: best and worst cannot be told')
    return ranked


def names_for(names: Sequence[str] | None, count: int) -> list[str]:
    """Returns the given names if there is one for each of ``count``, else their indices."""
    return list(names) if names is not None and len(names) == count else [str(index) for index in range(count)]


def _array(value: Any) -> np.ndarray:
    return np.asarray(value.detach().cpu() if hasattr(value, 'detach') else value, dtype=np.float64).ravel()
