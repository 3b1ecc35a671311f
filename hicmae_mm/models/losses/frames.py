"""Defines losses of valence, arousal, expression and action units per frame, as entries of the ABAW challenges do."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from hicmae_mm.models.losses.regression import RegressionLoss
from hicmae_mm.registry import MODELS


def mse_over_all_frames(prediction: Tensor, target: Tensor, is_real: Tensor, ignore: float = -5.0) -> Tensor:
    """Sums squared errors of the frames that count, divided by the number of **all** frames (AIM3-RUC, ABAW4).

    Args:
        prediction: ``(B, T, 1)``.
        target: ``(B, T, 1)``.
        is_real: ``(B, T)``, false for padding.
        ignore: Target of frames that do not count.
    """
    counts = is_real.bool().unsqueeze(-1) & (target != ignore)
    return F.mse_loss(prediction * counts, target * counts)


def ccc_loss(prediction: Tensor, target: Tensor, ignore: float = -5.0) -> Tensor:
    """Computes one minus the concordance (population moments) of all frames whose target is not ``ignore``."""
    counts = target != ignore
    x, y = prediction[counts], target[counts]
    covariance = ((x - x.mean()) * (y - y.mean())).mean()
    spread = x.var(unbiased=False) + y.var(unbiased=False) + (x.mean() - y.mean()).square()
    return 1 - 2 * covariance / spread


def ccc_loss_with_eps(prediction: Tensor, target: Tensor, ignore: float = -5.0, eps: float = 1e-4) -> Tensor:
    """Computes the form of the EMMA entry of ABAW4: unbiased deviations, and ``eps`` in both denominators."""
    counts = target != ignore
    x, y = prediction[counts], target[counts]
    dx, dy = x - x.mean(), y - y.mean()
    rho = (dx * dy).sum() / (dx.square().sum().sqrt() * dy.square().sum().sqrt() + eps)
    sx, sy = x.std(), y.std()
    return 1 - 2 * rho * sx * sy / (sx.square() + sy.square() + (x.mean() - y.mean()).square() + eps)


def expectation_of_bins(logits: Tensor) -> Tensor:
    """Computes the expected values ``(...)`` of logits ``(..., K)`` over K points from -1 to 1."""
    points = torch.linspace(-1, 1, logits.shape[-1], dtype=logits.dtype, device=logits.device)
    return (logits.softmax(dim=-1) * points).sum(dim=-1)


def action_unit_loss(logits: Tensor, target: Tensor, ignore: int = -1) -> Tensor:
    """Computes the binary cross entropy over single labels other than ``ignore``; logits and target ``(..., L)``."""
    counts = target != ignore
    return F.binary_cross_entropy_with_logits(logits[counts], target[counts].to(logits.dtype))


def weighted_action_unit_loss(logits: Tensor, target: Tensor, pos_weight: Tensor, ignore: int = -1) -> Tensor:
    """Sums binary cross entropy of existing labels, weighted, divided by the number of rows (EMMA).

    Args:
        logits: Logits ``(N, L)``.
        target: ``(N, L)``; above 0 is there. Ignored entries count 0, but their rows are among the N.
        pos_weight: Weights ``(L,)`` of labels that are there.
        ignore: Target of entries that do not count.
    """
    is_there = (target > 0).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(
        logits, is_there, (target != ignore).to(logits.dtype), pos_weight=pos_weight, reduction='sum'
    )
    return losses / len(logits)


def join_tasks(losses: Mapping[str, Tensor], weights: Mapping[str, float], normalize: bool = False) -> Tensor:
    """Sums the weighted losses of tasks.

    Args:
        losses: Loss of each task.
        weights: Factor of each task; every task of ``losses`` needs one.
        normalize: Divide every positive loss by its own value first. The sum is then constant, and each task's gradient
            is divided by its loss.
    """
    total = torch.zeros((), dtype=next(iter(losses.values())).dtype)
    for name, loss in losses.items():
        scale = loss.detach().where(loss.detach() > 0, torch.ones_like(loss)) if normalize else 1.0
        total = total + weights[name] * loss / scale
    return total


def sequence_ccc_loss(prediction: Tensor, target: Tensor, eps: float = 1e-10) -> Tensor:
    """Computes the number of dimensions minus the agreement of each sequence, averaged over sequences (ABAW6 entry).

    The published agreement mixes a mean of centred products with unbiased deviations, so it is ``(T - 1) / T`` of the
    concordance in its numerator.

    Args:
        prediction: ``(B, T, D)``.
        target: ``(B, T, D)``.
        eps: Added to both denominators.
    """
    mean_x, mean_y = prediction.mean(dim=1), target.mean(dim=1)  # (B, D)
    product = ((prediction - mean_x.unsqueeze(1)) * (target - mean_y.unsqueeze(1))).mean(dim=1)
    deviation_x, deviation_y = prediction.std(dim=1), target.std(dim=1)
    correlation = product / (deviation_x * deviation_y + eps)
    spread = deviation_x.square() + deviation_y.square() + (mean_x - mean_y).square() + eps
    agreement = 2 * correlation * deviation_x * deviation_y / spread
    return prediction.shape[-1] - agreement.mean(dim=0).sum()


@MODELS.register_module()
class SequenceCCCLoss(RegressionLoss):
    """Makes :func:`sequence_ccc_loss` the loss of a head: the agreement of each clip, averaged over clips.

    ``CCCLoss`` takes all frames of a batch together, as the challenge's measure does. The arguments are those of
    :class:`RegressionLoss`. Clips with fewer than two frames that count are left out.

    Example:
        >>> target = torch.tensor([[0.0], [1.0], [5.0], [4.0]])
        >>> shifted = target + torch.tensor([[0.0], [0.0], [1.0], [1.0]])
        >>> round(SequenceCCCLoss()(shifted, target, torch.tensor([0, 0, 1, 1])).item(), 3)
        0.625
    """

    by_sequence = True  # heads give the number of the clip of each row

    def forward(self, prediction: Tensor, target: Tensor, sequences: Tensor | None = None) -> Tensor:
        """Computes the weighted scalar loss of ``(N, D)`` against ``(N, D)``.

        Rows with the same number in ``sequences (N,)`` are a clip. These numbers are on the host, so that nothing waits
        for the device. Without ``sequences`` all rows are one clip.
        """
        if prediction.shape != target.shape:
            raise ValueError(f'prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ in shape')
        counts = (
            [len(prediction)] if sequences is None else sequences.unique_consecutive(return_counts=True)[1].tolist()
        )
        pairs = [
            (p.unsqueeze(0), t.unsqueeze(0))
            for p, t in zip(prediction.split(counts), target.split(counts))
            if p.shape[0] > 1
        ]
        if not pairs:
            return prediction.sum() * 0
        return self.loss_weight * torch.stack([sequence_ccc_loss(p, t) for p, t in pairs]).mean()

    def compute(self, prediction: Tensor, target: Tensor) -> Tensor:
        """See :meth:`RegressionLoss.compute`."""
        return sequence_ccc_loss(prediction.unsqueeze(0), target.unsqueeze(0))
