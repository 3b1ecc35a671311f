"""Contrasts embeddings by pseudo-labels, with prototypes of classes and a queue of keys."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hicmae_mm.models.losses.gather import gather_in_order, gather_with_gradient
from hicmae_mm.models.losses.partial_labels import contrast_by_labels, contrast_with_own_key
from hicmae_mm.models.partial_labels.prototypes import PrototypeQueue
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class PrototypeContrast(nn.Module):
    """Embeds features, and draws together the embeddings of clips with the same pseudo-label (ARNet, ALIM).

    Queries come from the trained network, keys from its moving average. In the first epochs, each query is compared
    with its own key and the queue only, since pseudo-labels mean nothing yet. All ranks share prototypes and queue.

    Args:
        in_channels: Length of the feature; injected by the model.
        num_classes: Number of classes C; injected by the model.
        dims: Length D of the embeddings.
        queue_size: Number of keys that are kept.
        prototype_momentum: Share of the old prototype.
        prototype_temperature: Divides the products of queries and prototypes: 0.07 in ALIM, 1 in ARNet.
        temperature: Divides the products of queries and keys.
        labelled_from: First epoch (from 1) that uses pseudo-labels.
        loss_weight: Multiplies the loss.
    """

    def __init__(
        self,
        in_channels: int,
        num_classes: int,
        dims: int = 128,
        queue_size: int = 8192,
        prototype_momentum: float = 0.99,
        prototype_temperature: float = 0.07,
        temperature: float = 0.07,
        labelled_from: int = 2,
        loss_weight: float = 0.5,
    ) -> None:
        super().__init__()
        self.projector = nn.Sequential(nn.Linear(in_channels, in_channels), nn.ReLU(), nn.Linear(in_channels, dims))
        self.bank = PrototypeQueue(num_classes, dims, queue_size, prototype_momentum, prototype_temperature)
        self.queue_size, self.temperature = queue_size, temperature
        self.labelled_from, self.loss_weight = labelled_from, loss_weight

    def loss(self, queries: Tensor, keys: Tensor, labels: Tensor, epoch: int) -> Tensor:
        """Contrasts the queries of this rank with the queries and keys of all ranks and with the queue.

        Args:
            queries: ``(B, D)`` of norm 1.
            keys: ``(B, D)`` of norm 1, of the same clips.
            labels: ``(B,)`` pseudo-labels.
            epoch: Number of the epoch, from 1.

        Returns:
            Weighted loss, a scalar. Its mean over the ranks is the loss of one process with the batch of all ranks.
        """
        if epoch < self.labelled_from:
            return self.loss_weight * contrast_with_own_key(queries, keys, self.bank.queue.clone(), self.temperature)
        column = labels.to(queries).unsqueeze(1)  # (B, 1), so that labels travel with their queries
        rows, begin = gather_with_gradient(torch.cat([queries, column], dim=1))
        all_keys, _ = gather_with_gradient(torch.cat([keys, column], dim=1))
        end = begin + queries.shape[0]
        # the queries of this rank first
        rows = torch.cat([rows[begin:end], rows[:begin], rows[end:], all_keys])
        features = torch.cat([rows[:, :-1], self.bank.queue])
        all_labels = torch.cat([rows[:, -1].detach().round().long(), self.bank.queue_labels])
        loss = contrast_by_labels(features, all_labels, queries.shape[0], self.temperature)
        return self.loss_weight * loss

    def embed(self, features: Tensor, projector: nn.Module | None = None) -> Tensor:
        """Computes embeddings of norm 1: ``(B, in_channels) -> (B, D)``, by another projector if one is given."""
        return F.normalize((projector or self.projector)(features).float(), dim=1)

    @torch.no_grad()
    def remember(self, queries: Tensor, keys: Tensor, labels: Tensor) -> None:
        """Moves the prototypes towards the queries of all ranks, and puts the keys of all ranks into the queue.

        Raises:
            ValueError: If the batch of all ranks is larger than the queue.
        """
        queries, keys, labels = gather_in_order(queries.detach()), gather_in_order(keys), gather_in_order(labels)
        if keys.shape[0] > self.queue_size:
            raise ValueError(
                f'a batch of {keys.shape[0]} clips on all ranks does not fit into queue_size={self.queue_size}; raise '
                'it, or take smaller batches'
            )
        self.bank.update(queries, labels)
        self.bank.enqueue(keys, labels)
