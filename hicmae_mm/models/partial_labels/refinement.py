"""What is believed about the label of every training clip, and how this changes from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from hicmae_mm.models.partial_labels.correction import (
    CorrectionRule,
    correct_candidates,
    has_stopped_growing,
    margin_at,
    num_accuracies_needed,
)
from hicmae_mm.models.partial_labels.targets import (
    FORMS,
    adjusted_target,
    importance_of_others,
    margin_ratio,
    target_momentum,
    uniform_target,
    update_target,
)
from hicmae_mm.models.sample_memory import SampleMemory
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample

SOURCES = ('prototypes', 'classifier')
_FIRST_MOMENTUM = 0.99  # of the targets, in the first epoch


class ViewScores(NamedTuple):
    """Scores of the clips of a batch in one view.

    Attributes:
        classifier: ``(B, C)`` softmax of the head's logits.
        prototypes: ``(B, C)`` softmax over the prototypes.
    """

    classifier: Tensor
    prototypes: Tensor

    def of(self, source: str) -> Tensor:
        """Scores of one of :data:`SOURCES`."""
        return self.prototypes if source == 'prototypes' else self.classifier


class TargetRefinement(nn.Module):
    """Targets over the candidates that move towards what the model predicts among them (PiCO, Wang et al., 2022).

    It starts evenly over the candidates. It is also the base of :class:`LabelImportance` and
    :class:`CandidateCorrection`. ``ModelEpochHook`` tells it the epoch. The state per clip is in
    :class:`~hicmae_mm.models.SampleMemory`, everything else in buffers, so that a training resumes exactly.

    Args:
        num_classes: Number of classes C; injected by the model.
        target_form: ``'onehot'``: towards the best label. ``'scale'``: towards the scores, divided by their sum.
        scores: Scores that targets move to: ``'prototypes'`` or ``'classifier'``.
        targets_from: First epoch (from 1) that moves targets.
        momentum: Share of the old target, from the second epoch to the end; it changes linearly. The first epoch has
            0.99.

    Raises:
        ValueError: An unknown form or source.
    """

    views: tuple[int, ...] = (0,)

    def __init__(
        self,
        num_classes: int,
        target_form: str = 'scale',
        scores: str = 'prototypes',
        targets_from: int = 2,
        momentum: tuple[float, float] = (0.95, 0.8),
    ) -> None:
        super().__init__()
        if target_form not in FORMS:
            raise ValueError(f'target_form must be one of {FORMS}, got {target_form!r}')
        if scores not in SOURCES:
            raise ValueError(f'scores must be one of {SOURCES}, got {scores!r}')
        self.target_form, self.scores, self.targets_from = target_form, scores, targets_from
        self.momentum = (float(momentum[0]), float(momentum[1]))
        self.targets = SampleMemory(num_classes)
        self.epoch = self.num_epochs = 0
        self.importance: float | Tensor = 0.0

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """Sets the schedules of an epoch, counted from 1."""
        self.epoch, self.num_epochs = epoch, num_epochs

    def end_epoch(self) -> None:
        """Draws the conclusions of an epoch."""

    @property
    def share_of_old_target(self) -> float:
        """Momentum of the targets in this epoch."""
        if self.epoch <= 1:
            return _FIRST_MOMENTUM
        return target_momentum(self.epoch - 1, self.num_epochs, *self.momentum)

    def candidates(self, data_samples: Sequence[EmotionDataSample], annotated: Tensor) -> Tensor:  # noqa: ARG002
        """Candidates ``(B, C)`` bool of the clips, given those of the annotation."""
        return annotated

    def target(self, data_samples: Sequence[EmotionDataSample], candidates: Tensor) -> Tensor:
        """Target ``(B, C)`` of the clips; its rows sum to 1.

        Raises:
            ValueError: No epoch was begun.
        """
        if self.epoch < 1:
            raise ValueError(
                f'{type(self).__name__} does not know the epoch: train by AudioVisualRunner in epochs (EpochTrainLoop)'
            )
        return self.targets.read(data_samples, uniform_target(candidates))

    def update(
        self,
        data_samples: Sequence[EmotionDataSample],
        candidates: Tensor,
        target: Tensor,
        views: Sequence[ViewScores],
    ) -> None:
        """Moves the targets of the clips. It counts when they are read the next time.

        Args:
            data_samples: B samples.
            candidates: ``(B, C)`` bool.
            target: ``(B, C)``.
            views: Scores of the views that :attr:`views` names.
        """
        self.targets.write(data_samples, self.moved(candidates, target, views))

    def moved(self, candidates: Tensor, target: Tensor, views: Sequence[ViewScores]) -> Tensor:
        """Target ``(B, C)`` after its step."""
        if self.epoch < self.targets_from:
            return target
        new = adjusted_target(views[0].of(self.scores), candidates, self.importance, self.target_form)
        return update_target(target, new.to(target), self.share_of_old_target)


@MODELS.register_module()
class LabelImportance(TargetRefinement):
    """Labels outside of the candidates count a share, the importance, which the noise rate determines.

    Source: ALIM (Lian et al., 2023). After every epoch, the clips are sorted by the ratio of their best score inside of
    the candidates to the best one outside. The importance becomes the ratio at the share of clips that is the noise
    rate.

    Args:
        num_classes: Number of classes C; injected by the model.
        noise_rate: Share of the clips whose true label is expected not to be a candidate; 0: importance 0.
        importance_from: First epoch (from 1) after which the importance is set.
        limit: Largest importance; ``None``: none.
        target_form: See :class:`TargetRefinement`; ``'scale'`` and ``'onehot'`` are published.
        scores: See :class:`TargetRefinement`. The importance always uses the prototypes.
        targets_from: See :class:`TargetRefinement`.
        momentum: See :class:`TargetRefinement`.

    Raises:
        ValueError: A noise rate outside of 0..1, an unknown form or source.
    """

    def __init__(
        self,
        num_classes: int,
        noise_rate: float,
        importance_from: int = 80,
        limit: float | None = 1.0,
        target_form: str = 'scale',
        scores: str = 'prototypes',
        targets_from: int = 2,
        momentum: tuple[float, float] = (0.95, 0.8),
    ) -> None:
        super().__init__(num_classes, target_form, scores, targets_from, momentum)
        if not 0 <= noise_rate < 1:
            raise ValueError(f'noise_rate must lie in 0..1, got {noise_rate}')
        self.noise_rate, self.importance_from, self.limit = noise_rate, importance_from, limit
        del self.importance
        self.register_buffer('importance', torch.zeros((), dtype=torch.float64))
        self.ratios = SampleMemory(1)

    def update(
        self,
        data_samples: Sequence[EmotionDataSample],
        candidates: Tensor,
        target: Tensor,
        views: Sequence[ViewScores],
    ) -> None:
        """See :meth:`TargetRefinement.update`; also keeps the ratios of the clips."""
        super().update(data_samples, candidates, target, views)
        self.ratios.write(data_samples, margin_ratio(views[0].prototypes, candidates).unsqueeze(1))

    def end_epoch(self) -> None:
        """Sets the importance."""
        ratios = self.ratios.rows[self.ratios.is_written, 0]
        if self.epoch >= self.importance_from and ratios.shape[0]:
            assert isinstance(self.importance, Tensor)
            self.importance.fill_(importance_of_others(ratios, self.noise_rate, self.limit))


@MODELS.register_module()
class CandidateCorrection(TargetRefinement):
    """Adds labels to the candidates that several views prefer to all candidates (ARNet, Lian et al., 2023).

    It begins at an epoch that is given, or when the predictions no longer agree better and better with the candidates.
    This agreement, the share of clips whose predicted class is a candidate, needs no true labels.

    Args:
        num_classes: Number of classes C; injected by the model.
        margin: Margin by which a label must beat the candidates, when the correction begins and at the end.
        start: Epoch (from 1) at which it begins; ``None``: by ``window``.
        window: Number of epochs over which the agreement is smoothed; ``None`` without ``start``: no correction.
        views: Numbers of the views that must agree.
        update_form: What happens to the target; ``update`` of :class:`CorrectionRule`.
        drops_lowest: Whether the candidate with the lowest score leaves.
        target_form: See :class:`TargetRefinement`.
        scores: See :class:`TargetRefinement`; also used for the correction.
        targets_from: See :class:`TargetRefinement`.
        momentum: See :class:`TargetRefinement`.

    Raises:
        ValueError: Views that do not begin with 0, an unknown form or source.
    """

    start_epoch: Tensor
    agreements: Tensor
    num_agreements: Tensor

    def __init__(
        self,
        num_classes: int,
        margin: tuple[float, float] = (0.02, 0.008),
        start: int | None = None,
        window: int | None = 100,
        views: Sequence[int] = (0, 1),
        update_form: str = 'score',
        drops_lowest: bool = False,
        target_form: str = 'onehot',
        scores: str = 'prototypes',
        targets_from: int = 2,
        momentum: tuple[float, float] = (0.95, 0.8),
    ) -> None:
        super().__init__(num_classes, target_form, scores, targets_from, momentum)
        self.margin, self.window, self.views = (float(margin[0]), float(margin[1])), window, tuple(views)
        if self.views[:1] != (0,):
            raise ValueError(f'views must begin with 0, the view that is learned from, got {self.views}')
        CorrectionRule(update=update_form)  # refuses an unknown form
        self.update_form, self.drops_lowest = update_form, drops_lowest
        self.sets, self.hits = SampleMemory(num_classes), SampleMemory(1)
        self.register_buffer('start_epoch', torch.tensor(start or 0))  # 0: not known yet
        self.register_buffer('agreements', torch.zeros(num_accuracies_needed(window or 1), dtype=torch.float64))
        self.register_buffer('num_agreements', torch.zeros((), dtype=torch.long))
        self._start = 0

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """See :meth:`TargetRefinement.begin_epoch`."""
        super().begin_epoch(epoch, num_epochs)
        self._start = int(self.start_epoch)  # read once, since it may lie on a device

    def candidates(self, data_samples: Sequence[EmotionDataSample], annotated: Tensor) -> Tensor:
        """See :meth:`TargetRefinement.candidates`; labels that were added are among them."""
        return self.sets.read(data_samples, annotated.float()) > 0

    def update(
        self,
        data_samples: Sequence[EmotionDataSample],
        candidates: Tensor,
        target: Tensor,
        views: Sequence[ViewScores],
    ) -> None:
        """See :meth:`TargetRefinement.update`; then adds labels to the candidates."""
        target = self.moved(candidates, target, views)
        if 0 < self._start <= self.epoch:
            first, last = self.margin
            margin = (
                first
                if self._start >= self.num_epochs
                else margin_at(self.epoch, self._start, self.num_epochs, first, last)
            )
            rule = CorrectionRule(margin, update=self.update_form, drops_lowest=self.drops_lowest)
            scores = [view.of(self.scores) for view in views]
            target, candidates, _ = correct_candidates(target, candidates, scores, rule)
        self.targets.write(data_samples, target)
        self.sets.write(data_samples, candidates.float())
        predicted = views[0].classifier.argmax(dim=1, keepdim=True)
        self.hits.write(data_samples, candidates.gather(1, predicted).float())

    def end_epoch(self) -> None:
        """Keeps the agreement of this epoch, and finds out whether the correction begins with the next one."""
        hits = self.hits.rows[self.hits.is_written, 0]
        if self.window is None or self._start or not hits.shape[0]:
            return
        self.agreements.copy_(self.agreements.roll(-1))
        self.agreements[-1] = hits.double().mean()
        self.num_agreements += 1
        count = int(self.num_agreements)
        latest = self.agreements[-min(count, self.agreements.shape[0]) :].tolist()
        if count >= self.window and has_stopped_growing(latest, self.window):
            self.start_epoch.fill_(self.epoch + 1)
