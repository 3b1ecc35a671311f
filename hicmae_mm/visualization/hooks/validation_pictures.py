"""Shows which classes and which clips a model gets wrong, after every validation of a training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.dist import all_gather_object, is_main_process
from mmengine.runner import Runner

from hicmae_mm.evaluation.clip_result import ClipResult, names_for
from hicmae_mm.evaluation.functional import confusion_matrix, unweighted_average_recall, weighted_average_recall
from hicmae_mm.evaluation.metrics.base import identity, unique_samples
from hicmae_mm.registry import HOOKS
from hicmae_mm.structures import EmotionDataSample
from hicmae_mm.visualization.hooks.picture import PictureHook


@HOOKS.register_module()
class ConfusionMatrixHook(PictureHook):
    """Draws the confusion matrix of the validation set as ``confusion_matrix``, every clip of all processes once.

    Args:
        interval: Validations between pictures; the last one of a training is always drawn.

    Raises:
        ValueError: If the interval is below 1.
    """

    def __init__(self, interval: int = 1) -> None:
        super().__init__(interval)
        self._seen: list[dict[str, Any]] = []
        self._num_classes = 0

    def before_val_epoch(self, runner: Runner) -> None:  # noqa: ARG002 (MMEngine's signature)
        """Starts anew."""
        self._seen, self._num_classes = [], 0

    def after_val_iter(
        self,
        runner: Runner,  # noqa: ARG002 (MMEngine's signature)
        batch_idx: int,  # noqa: ARG002
        data_batch: dict[str, Any] | None = None,  # noqa: ARG002
        outputs: Sequence[EmotionDataSample] | None = None,
    ) -> None:
        """Keeps label and prediction of the clips of a batch that have both."""
        for sample in outputs or ():
            if 'pred_score' in sample and 'gt_label' in sample:
                self._num_classes = len(sample.pred_score)
                pair = int(sample.gt_label), int(sample.pred_score.argmax())
                self._seen.append({'pair': pair, **identity(sample)})

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Gathers and draws."""
        if not self.is_due_after_validation(runner):
            return
        parts = all_gather_object((self._seen, self._num_classes))
        num_classes = max(size for _, size in parts)
        if num_classes == 0 or not is_main_process():
            return
        pairs = np.array([clip['pair'] for clip in unique_samples([clip for seen, _ in parts for clip in seen])])
        counts = confusion_matrix(pairs[:, 1], pairs[:, 0], num_classes)
        names = names_for(getattr(runner.val_dataloader.dataset, 'metainfo', {}).get('classes'), num_classes)
        step = self.step(runner)

        def draw() -> Any:
            from hicmae_mm.visualization import draw_confusion_matrix  # matplotlib only where a picture is drawn

            uar, war = unweighted_average_recall(counts), weighted_average_recall(counts)
            return draw_confusion_matrix(counts, names, f'step {step}: UAR {uar:.3f}, WAR {war:.3f}')

        self.publish(runner, 'confusion_matrix', draw, step)


@HOOKS.register_module()
class WorstClipsHook(PictureHook):
    """Draws the clips of the validation set that the model does worst on, as ``worst_clips``.

    Worst is the lowest score of the true class, or the largest mean absolute error of values. While a validation runs,
    frames and spectrogram of the worst clips so far are kept on the host, no more of them than are drawn.

    Args:
        interval: Validations between pictures; the last one of a training is always drawn.
        num_clips: Number of clips that are drawn.

    Raises:
        ValueError: If a number is below 1.
    """

    def __init__(self, interval: int = 1, num_clips: int = 5) -> None:
        super().__init__(interval)
        if num_clips < 1:
            raise ValueError(f'num_clips must be at least 1, got {num_clips}')
        self.num_clips = num_clips
        self._is_due = False
        self._worst: list[ClipResult] = []

    def before_val_epoch(self, runner: Runner) -> None:
        """Starts anew."""
        self._worst, self._is_due = [], self.is_due_after_validation(runner)

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002 (MMEngine's signature)
        data_batch: dict[str, Any] | None = None,
        outputs: Sequence[EmotionDataSample] | None = None,
    ) -> None:
        """Keeps the worst clips so far."""
        if not self._is_due or not data_batch or not outputs:
            return
        metainfo = getattr(runner.val_dataloader.dataset, 'metainfo', {})
        present = data_batch.get('present') or {}
        view = 0
        for sample in outputs:
            result = ClipResult.of(sample, metainfo)
            if result.is_annotated and self._is_among_worst(result):
                streams = {
                    name: tensor
                    for name, tensor in data_batch['inputs'].items()
                    if name not in present or bool(present[name][view])
                }
                self._worst = _worst_of([*self._worst, result.add_inputs(streams, view)], self.num_clips)
            view += int(sample.get('num_views') or 1)

    def _is_among_worst(self, result: ClipResult) -> bool:
        known = {clip.sample_id for clip in self._worst}
        return result.sample_id not in known and (
            len(self._worst) < self.num_clips or result.goodness < self._worst[-1].goodness
        )

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:  # noqa: ARG002
        """Gathers and draws."""
        if not self._is_due:
            return
        gathered = {clip.sample_id: clip for part in all_gather_object(self._worst) for clip in part}
        worst, self._worst = _worst_of(list(gathered.values()), self.num_clips), []
        if not worst:
            return
        step = self.step(runner)

        def draw() -> Any:
            from hicmae_mm.visualization import draw_contact_sheet  # matplotlib only where a picture is drawn

            return draw_contact_sheet(worst, f'step {step}: worst {len(worst)} clips')

        self.publish(runner, 'worst_clips', draw, step)


def _worst_of(results: list[ClipResult], count: int) -> list[ClipResult]:
    return sorted(results, key=lambda result: (result.goodness, result.sample_id))[:count]
