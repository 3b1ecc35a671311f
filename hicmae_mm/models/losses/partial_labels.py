"""Losses against a distribution over candidate labels, and contrast by pseudo-labels."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.registry import MODELS


def _candidate_sum(scores: Tensor, target: Tensor) -> Tensor:
    """Computes the score of the candidates together."""
    return (scores * (target > 0)).sum(dim=1)


LOSSES = ('CE', 'CC', 'EXP', 'MAE', 'MSE', 'GCE', 'SCE', 'LWC')


@MODELS.register_module()
class PartialLabelLoss(nn.Module):
    """Loss of logits against a distribution over the candidate labels of a clip.

    With scores p, target w and candidates S = {w > 0}, the losses are (ARNet and ALIM, Lian et al.):

    * ``'CE'``: ``-sum w log p``, also known as RC and PRODEN;
    * ``'CC'``: ``-log sum_S p``, also known as LOG;
    * ``'EXP'``: ``exp(-sum_S p)``;
    * ``'MAE'``, ``'MSE'``: ``sum |p - w|`` and ``sum (p - w)^2``;
    * ``'GCE'``: ``sum w (1 - p^q) / q``;
    * ``'SCE'``: ``alpha CE + beta (-sum p log w)``, p clamped to at least 1e-7 and w to at least 1e-4;
    * ``'LWC'``: ``-sum_S w log p - weight / C sum_notS log(1 - p)``.

    Args:
        kind: One of them.
        gce_q: Exponent q of ``'GCE'``.
        sce_alpha: Weight of the cross entropy in ``'SCE'``.
        sce_beta: Weight of the reverse cross entropy in ``'SCE'``.
        lwc_weight: Weight of the labels outside of the candidates in ``'LWC'``.
        loss_weight: Multiplies the loss.

    Raises:
        ValueError: If the kind is unknown.

    Example:
        >>> loss = PartialLabelLoss('CC')
        >>> round(float(loss(torch.zeros(1, 4), torch.tensor([[0.5, 0.5, 0.0, 0.0]]))), 4)
        0.6931
    """

    def __init__(
        self,
        kind: str = 'CE',
        gce_q: float = 0.7,
        sce_alpha: float = 0.1,
        sce_beta: float = 1.0,
        lwc_weight: float = 1.0,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if kind not in LOSSES:
            raise ValueError(f'kind must be one of {LOSSES}, got {kind!r}')
        self.kind, self.gce_q, self.lwc_weight = kind, gce_q, lwc_weight
        self.sce_alpha, self.sce_beta, self.loss_weight = sce_alpha, sce_beta, loss_weight

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Computes the scalar loss of ``logits (B, C)`` against distributions ``(B, C)`` or class indices ``(B,)``."""
        if target.ndim == 1:
            target = F.one_hot(target, logits.shape[1])
        losses: Callable[[Tensor, Tensor], Tensor] = getattr(self, f'_{self.kind.lower()}')
        return self.loss_weight * losses(logits.float(), target.float()).mean()

    def _ce(self, logits: Tensor, target: Tensor) -> Tensor:
        return -(target * logits.log_softmax(dim=1)).sum(dim=1)

    def _cc(self, logits: Tensor, target: Tensor) -> Tensor:
        return -_candidate_sum(logits.softmax(dim=1), target).log()

    def _exp(self, logits: Tensor, target: Tensor) -> Tensor:
        return torch.exp(-_candidate_sum(logits.softmax(dim=1), target))

    def _mae(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits.softmax(dim=1) - target).abs().sum(dim=1)

    def _mse(self, logits: Tensor, target: Tensor) -> Tensor:
        return (logits.softmax(dim=1) - target).square().sum(dim=1)

    def _gce(self, logits: Tensor, target: Tensor) -> Tensor:
        scores = logits.softmax(dim=1)
        return (target * (1 - scores**self.gce_q) / self.gce_q).sum(dim=1)

    def _sce(self, logits: Tensor, target: Tensor) -> Tensor:
        scores, clamped = logits.softmax(dim=1).clamp(1e-7, 1.0), target.clamp(1e-4, 1.0)
        forward, reverse = -(clamped * scores.log()).sum(dim=1), -(scores * clamped.log()).sum(dim=1)
        return self.sce_alpha * forward + self.sce_beta * reverse

    def _lwc(self, logits: Tensor, target: Tensor) -> Tensor:
        scores, is_candidate = logits.softmax(dim=1), target > 0
        inside = -(is_candidate * target * (scores + 1e-8).log()).sum(dim=1)
        outside = -(~is_candidate * (1 - scores + 1e-8).log()).sum(dim=1)
        return inside + self.lwc_weight * outside / logits.shape[1]


def contrast_by_labels(features: Tensor, labels: Tensor, num_queries: int, temperature: float = 0.07) -> Tensor:
    """Contrasts queries with everything, positives having the same pseudo-label (Khosla et al., 2020).

    Args:
        features: ``(N, D)``: the queries, then keys and queue.
        labels: ``(N,)`` pseudo-labels.
        num_queries: Number of queries.
        temperature: Divides the products.

    Returns:
        Scalar: minus the mean over the positives of the log softmax over all others, averaged over the queries.
    """
    products = features[:num_queries] @ features.T / temperature  # (B, N)
    others = ~torch.eye(num_queries, len(features), dtype=torch.bool, device=features.device)
    is_positive = (labels[:num_queries, None] == labels) & others
    shifted = products - products.amax(dim=1, keepdim=True).detach()
    log_scores = shifted - ((shifted.exp() * others).sum(dim=1, keepdim=True) + 1e-12).log()
    return -((log_scores * is_positive).sum(dim=1) / is_positive.sum(dim=1)).mean()


def contrast_with_own_key(queries: Tensor, keys: Tensor, queue: Tensor, temperature: float = 0.07) -> Tensor:
    """Contrasts each query ``(B, D)`` with its own key ``(B, D)`` against a queue ``(N, D)`` (He et al., 2020)."""
    own = (queries * keys).sum(dim=1, keepdim=True)
    logits = torch.cat([own, queries @ queue.T], dim=1) / temperature
    return F.cross_entropy(logits, torch.zeros(len(logits), dtype=torch.long, device=logits.device))
