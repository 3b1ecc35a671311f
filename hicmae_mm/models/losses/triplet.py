"""Triplet loss with a margin that adapts to the distances, and the loss of M2FNet's feature extractors."""

from __future__ import annotations

import torch
from torch import Tensor


def adaptive_triplet_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, eps: float = 1e-6, hinge: bool = False
) -> Tensor:
    """Loss of each triplet, ``(B,)``, from embeddings ``(B, D)`` (M2FNet, Chudasama et al., 2022).

    ``d_ap - (d_an + d_pn) / 2 + m`` with Euclidean distances and the margin
    ``m = [1 + 2 / (exp(4 d_ap) + eps)] + [1 + 2 / (exp(-4 d_an + 4) + eps)]``. The second part of the margin grows
    exponentially with ``d_an``, so embeddings should have norm 1.

    Args:
        anchor: Embeddings ``(B, D)`` of the samples.
        positive: ``(B, D)``, of the anchor's class.
        negative: ``(B, D)``, of another class.
        eps: Added to the denominators.
        hinge: Whether negative losses count as 0; of embeddings with norm 1 there are none.
    """
    d_ap, d_an, d_pn = (_distance(*pair) for pair in ((anchor, positive), (anchor, negative), (positive, negative)))
    similar, dissimilar = 1 + 2 / (torch.exp(4 * d_ap) + eps), 1 + 2 / (torch.exp(-4 * d_an + 4) + eps)
    losses = d_ap - (d_an + d_pn) / 2 + similar + dissimilar
    return losses.clamp(min=0) if hinge else losses


def _distance(a: Tensor, b: Tensor) -> Tensor:
    squares = (a - b).square().sum(dim=-1)
    return squares.clamp_min(torch.finfo(squares.dtype).tiny).sqrt()  # sqrt has no gradient at 0


def covariance_term(z: Tensor) -> Tensor:
    """Sums the squared covariances between different dimensions of ``(B, D)``, divided by D (VICReg)."""
    centred = z - z.mean(dim=0)
    covariance = centred.T @ centred / (len(z) - 1)
    off_diagonal = covariance - torch.diag(covariance.diagonal())
    return off_diagonal.square().sum() / z.shape[1]


def variance_term(z: Tensor, eps: float = 1e-6) -> Tensor:
    """Computes by how much the standard deviations of ``(B, D)`` fall short of 1, averaged over dimensions (VICReg)."""
    return (1 - (z.var(dim=0) + eps).sqrt()).clamp(min=0).mean()


def extractor_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, weights: tuple[float, float, float] = (20.0, 5.0, 1.0)
) -> Tensor:
    """Computes M2FNet's loss of embeddings ``(B, D)``: the weighted sum of triplet, covariance and variance losses.

    Args:
        anchor: Embeddings ``(B, D)`` of the samples.
        positive: Embeddings ``(B, D)`` of samples of the same class.
        negative: Embeddings ``(B, D)`` of samples of another class.
        weights: Factors of the three terms. Covariance and variance are summed over the three sets of embeddings.
    """
    sets = (anchor, positive, negative)
    triplet, covariance, variance = weights
    return (
        triplet * adaptive_triplet_loss(anchor, positive, negative).mean()
        + covariance * torch.stack([covariance_term(z) for z in sets]).sum()
        + variance * torch.stack([variance_term(z) for z in sets]).sum()
    )
