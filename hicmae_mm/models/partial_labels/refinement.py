"""Keeps a target over the candidate labels of every training clip, and moves it from step to step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

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
    """Stores the scores of the clips of a batch in one view.

    Attributes:
        classifier: ``(B, C)`` softmax of the head's logits.
        prototypes: ``(B, C)`` softmax over the prototypes.
    """

    classifier: Tensor
    prototypes: Tensor

    def of(self, source: str) -> Tensor:
        """Returns the scores of one of :data:`SOURCES`."""
        return self.prototypes if source == 'prototypes' else self.classifier


class TargetRefinement(nn.Module):
    """Moves targets over the candidates towards what the model predicts among them (PiCO, Wang et al., 2022).

    At first all candidates of a clip have equal shares. This class is also the base of :class:`LabelImportance` and
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
        ValueError: If the form or the source is unknown.
    """

    importance: Tensor
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
        self.register_buffer('importance', torch.zeros((), dtype=torch.float64))  # of labels that are no candidates

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """Sets the schedules of an epoch, counted from 1."""
        self.epoch, self.num_epochs = epoch, num_epochs

    def end_epoch(self) -> None:
        """Ends an epoch. There is nothing to do here; subclasses set what they learned from it."""

    @property
    def share_of_old_target(self) -> float:
        """Returns the momentum of the targets in this epoch."""
        if self.epoch <= 1:
            return _FIRST_MOMENTUM
        return target_momentum(self.epoch - 1, self.num_epochs, *self.momentum)

    def candidates(self, data_samples: Sequence[EmotionDataSample], annotated: Tensor) -> Tensor:  # noqa: ARG002
        """Returns the candidates ``(B, C)`` bool of the clips, given those of the annotation."""
        return annotated

    def target(self, data_samples: Sequence[EmotionDataSample], candidates: Tensor) -> Tensor:
        """Returns the target ``(B, C)`` of the clips; its rows sum to 1.

        Raises:
            ValueError: If no epoch was begun.
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
        """Moves the targets of the clips. The new targets count when they are read the next time.

        Args:
            data_samples: B samples.
            candidates: ``(B, C)`` bool.
            target: ``(B, C)``.
            views: Scores of the views that :attr:`views` names.
        """
        self.targets.write(data_samples, self.moved(candidates, target, views))

    def moved(self, candidates: Tensor, target: Tensor, views: Sequence[ViewScores]) -> Tensor:
        """Returns the target ``(B, C)`` after its step."""
        if self.epoch < self.targets_from:
            return target
        new = adjusted_target(views[0].of(self.scores), candidates, self.importance, self.target_form)
        return update_target(target, new.to(target), self.share_of_old_target)


@MODELS.register_module()
class LabelImportance(TargetRefinement):
    """Weights labels outside of the candidates by an importance, which the noise rate determines.

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
        ValueError: If the noise rate is outside of 0..1, or the form or the source is unknown.
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
        """Sets the importance from the ratios of all clips."""
        ratios = self.ratios.rows[self.ratios.is_written, 0]
        if self.epoch >= self.importance_from and ratios.shape[0]:
            self.importance.fill_(importance_of_others(ratios, self.noise_rate, self.limit))
