"""Finds clips whose true label is no candidate, and adds it (ARNet, Lian et al., 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.models.partial_labels.refinement import TargetRefinement, ViewScores
from hicmae_mm.models.sample_memory import SampleMemory
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import EmotionDataSample

UPDATES = ('uniform', 'floor', 'score')
_NUM_DIFFERENCES = 10  # of the smoothed accuracy that must not grow


@dataclass(frozen=True)
class CorrectionRule:
    """States when a label is added to the candidates, and what happens to the target.

    Attributes:
        margin: A label outside must beat the best candidate by more than this.
        ratio: Ratio in place of the margin: the best candidate must be below this many times the best label outside.
        update: ``'score'``: the label gets its score in the first view (as published). ``'floor'``: it gets 1 / C.
            ``'uniform'``: all candidates get equal shares. The target is then divided by its sum.
        drops_lowest: Whether the former candidate with the lowest score in the first view leaves.
    """

    margin: float = 0.02
    ratio: float | None = None
    update: str = 'score'
    drops_lowest: bool = False

    def __post_init__(self) -> None:
        if self.update not in UPDATES:
            raise ValueError(f'update must be one of {UPDATES}, got {self.update!r}')


def correct_candidates(
    target: Tensor, candidates: Tensor, views: Sequence[Tensor], rule: CorrectionRule
) -> tuple[Tensor, Tensor, Tensor]:
    """Adds the label outside of the candidates that all views prefer to every candidate.

    Args:
        target: ``(B, C)``, rows sum to 1.
        candidates: ``(B, C)`` bool.
        views: Scores ``(B, C)`` of several views of the samples; the first one counts for the repair.
        rule: Rule that says when and how.

    Returns:
        Target, candidates, and which samples ``(B,)`` were corrected.
    """
    inside = candidates.to(target.dtype)
    beaten, chosen = [], []
    for scores in views:
        best_inside, (best_outside, label) = (scores * inside).amax(dim=1), (scores * (1 - inside)).max(dim=1)
        is_beaten = (
            best_outside > best_inside + rule.margin if rule.ratio is None else best_inside / best_outside < rule.ratio
        )
        beaten.append(is_beaten)
        chosen.append(label)
    label = chosen[0]
    is_noisy = torch.stack(beaten).all(dim=0) & (torch.stack(chosen) == label).all(dim=0)
    added = F.one_hot(label, target.shape[1]).bool() & is_noisy.unsqueeze(1)
    corrected = candidates | added
    if rule.drops_lowest:
        lowest = views[0].masked_fill(~candidates, torch.inf).argmin(dim=1)
        corrected = corrected & ~(F.one_hot(lowest, target.shape[1]).bool() & is_noisy.unsqueeze(1))
    repaired = _repair(target, corrected, added, views[0], rule.update)
    return torch.where(is_noisy.unsqueeze(1), repaired, target), corrected, is_noisy


def _repair(target: Tensor, candidates: Tensor, added: Tensor, scores: Tensor, update: str) -> Tensor:
    if update == 'uniform':
        repaired = candidates.to(target.dtype)
    else:
        new = torch.full_like(target, 1 / target.shape[1]) if update == 'floor' else scores
        repaired = torch.where(added, new, target) * candidates
    return repaired / repaired.sum(dim=1, keepdim=True)


def margin_at(epoch: int, start: int, num_epochs: int, first: float, last: float) -> float:
    """Computes the margin of an epoch, linear from ``first`` at epoch ``start`` to ``last`` at the end."""
    return first + (epoch - start) / (num_epochs - start) * (last - first)


def automatic_ratio(noise_rate: float, partial_rate: float, num_classes: int) -> float:
    """Computes the ratio of :class:`CorrectionRule` that follows from the rates by which candidates were made.

    Args:
        noise_rate: Share of samples whose true label is no candidate.
        partial_rate: Probability of a wrong label to be a candidate.
        num_classes: Number of classes.
    """
    inside = partial_rate + noise_rate / (num_classes - 1)
    return inside * noise_rate / ((1 - inside) * (1 - noise_rate))


def start_epoch(accuracies: Sequence[float], window: int | None, tolerance: float = 1e-6) -> int | None:
    """Returns the first epoch (from 1) after which the smoothed accuracy no longer grows; ``None`` if none yet.

    Args:
        accuracies: Accuracy of each epoch so far.
        window: Epochs to smooth over; ``None`` means never.
        tolerance: Mean of the last ten differences below which it no longer grows.
    """
    if window is None:
        return None
    for count in range(window, len(accuracies) + 1):
        if has_stopped_growing(accuracies[:count], window, tolerance):
            return count
    return None


def num_accuracies_needed(window: int) -> int:
    """Returns the number of the latest accuracies that :func:`has_stopped_growing` depends on."""
    return window // 2 + _NUM_DIFFERENCES + 1


def has_stopped_growing(accuracies: Sequence[float], window: int, tolerance: float = 1e-6) -> bool:
    """Returns whether the smoothed accuracy no longer grows at the last epoch.

    Args:
        accuracies: Accuracy of each epoch, or the latest :func:`num_accuracies_needed` of them.
        window: Epochs to smooth over.
        tolerance: Mean of the last ten differences below which it no longer grows.
    """
    count, half = len(accuracies), window // 2
    values = torch.tensor(accuracies, dtype=torch.float64)
    first = max(0, count - _NUM_DIFFERENCES - 1)
    smooth = [values[max(0, i - half) : min(count - 1, i + half)].mean() for i in range(first, count)]
    return float(torch.stack(smooth).diff().mean()) < tolerance


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
        ValueError: If the views do not begin with 0, or the form or the source is unknown.
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
