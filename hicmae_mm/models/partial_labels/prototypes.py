"""Prototypes of classes and a queue of keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PrototypeQueue(nn.Module):
    """Keeps one moving prototype per class, and a queue of keys with the pseudo-labels that follow from them.

    Sources: ARNet (temperature 1, candidates only) and ALIM (temperature 0.07, importance of other labels).

    Args:
        num_classes: Number of classes C.
        dims: Length D of queries and keys, which have norm 1.
        queue_size: Number of keys.
        momentum: Share of the old prototype.
        temperature: Divides the products of queries and prototypes.
    """

    prototypes: Tensor
    queue: Tensor
    queue_labels: Tensor
    pointer: Tensor

    def __init__(
        self, num_classes: int, dims: int, queue_size: int, momentum: float = 0.99, temperature: float = 1.0
    ) -> None:
        super().__init__()
        self.momentum, self.temperature = momentum, temperature
        self.register_buffer('prototypes', torch.zeros(num_classes, dims))
        self.register_buffer('queue', F.normalize(torch.randn(queue_size, dims), dim=1))
        self.register_buffer('queue_labels', torch.full((queue_size,), -1, dtype=torch.long))
        self.register_buffer('pointer', torch.zeros(1, dtype=torch.long))

    def scores(self, queries: Tensor) -> Tensor:
        """Scores ``(B, C)`` of queries ``(B, D)`` against the present prototypes."""
        return (queries @ self.prototypes.T / self.temperature).softmax(dim=1)

    @torch.no_grad()
    def pseudo_labels(self, class_scores: Tensor, candidates: Tensor, importance: float | Tensor = 0.0) -> Tensor:
        """Returns the best label of scores ``(B, C)``. Labels that are no candidates count ``importance`` times."""
        inside = candidates.to(class_scores.dtype)
        return (class_scores * (inside + importance * (1 - inside))).argmax(dim=1)

    @torch.no_grad()
    def update(self, queries: Tensor, labels: Tensor) -> None:
        """Moves the prototype of each query's label towards it, in the order of the batch.

        The order counts, since several queries may have one label; their shares are computed without a loop.
        """
        num_classes = len(self.prototypes)
        same = F.one_hot(labels, num_classes).to(queries.dtype)  # (B, C)
        later = same.sum(dim=0) - same.cumsum(dim=0)  # queries of the same label that follow
        share = (1 - self.momentum) * self.momentum ** (later * same) * same  # (B, C)
        moved = self.momentum ** same.sum(dim=0).unsqueeze(1) * self.prototypes + share.T @ queries
        self.prototypes.copy_(F.normalize(moved, dim=1))

    @torch.no_grad()
    def enqueue(self, keys: Tensor, labels: Tensor) -> None:
        """Puts keys ``(B, D)`` and labels at the pointer, where the oldest are."""
        places = (self.pointer + torch.arange(len(keys), device=keys.device)) % len(self.queue)
        self.queue[places], self.queue_labels[places] = keys.to(self.queue.dtype), labels
        self.pointer.copy_((self.pointer + len(keys)) % len(self.queue))
