"""Encoders drawn to features that somebody else computed, such as embeddings of a text about the clip."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from mmengine.model import ModuleDict
from torch import Tensor, nn

from hicmae_mm.models.building import build_slot, init_transformer
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.models.objectives.base import BaseObjective, Pass
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class FeatureAlignment(BaseObjective):
    """Contrasts each stream's mean token with a vector that the data samples carry, one path for every stream.

    Both sides pass a linear layer of their own. Clips without the vector do not count, so that a part of a corpus may
    have it. ``LoadFeatureTarget`` reads the vectors.

    Args:
        streams: Width of each stream's encoder; injected by the model.
        feature_dims: Length of the vectors.
        target: Name of the target that holds the vector, ``(feature_dims,)``.
        embed_dims: Width in which both sides are compared.
        loss: Loss of two batches of vectors.
        loss_weight: Factor of the loss of every path.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        feature_dims: int,
        target: str = 'text',
        embed_dims: int = 256,
        loss: dict[str, Any] | nn.Module = {'type': 'InfoNCELoss'},  # noqa: B006
        loss_weight: float = 1.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        self.target, self.feature_dims = target, feature_dims
        self.paths: Mapping[str, nn.Linear] = ModuleDict(
            {name: nn.Linear(width, embed_dims) for name, width in streams.items()}
        )
        self.project = nn.Linear(feature_dims, embed_dims)
        self.criterion: nn.Module = build_slot(loss, 'loss')
        self.apply(init_transformer)

    def loss(self, this: Pass) -> dict[str, Tensor]:
        """See :meth:`BaseObjective.loss`.

        Raises:
            ValueError: If a vector has another length.
        """
        rows, vectors = self._vectors(this)
        losses = {}
        for name, path in self.paths.items():
            padding = this.padding.get(name)
            pooled = path(mean_tokens(this.encoded[name].tokens, padding))  # (B, embed_dims)
            present = rows
            if padding is not None and len(rows):  # clips that lack the stream say nothing about it
                is_there = ~padding.all(dim=1).cpu()[rows]
                present = rows[is_there]
            if len(present) < 2:  # nothing to tell apart; a gradient of 0 all the same
                losses[f'loss_{name}'] = (pooled.sum() + self.project.weight.sum() + self.project.bias.sum()) * 0
                continue
            chosen = vectors if present is rows else vectors[is_there]
            features = self.project(chosen.to(pooled.device, pooled.dtype, non_blocking=True))
            losses[f'loss_{name}'] = self.criterion(pooled[present.to(pooled.device)], features)
        return losses

    def _vectors(self, this: Pass) -> tuple[Tensor, Tensor]:
        """Rows of the batch that have a vector, and their vectors ``(R, feature_dims)``, on the host."""
        rows: list[int] = []
        vectors: list[Tensor] = []
        view = 0
        for sample in this.data_samples:
            num_views = int(sample.get('num_views', 1))
            if f'gt_{self.target}' in sample:
                vector = sample.target(self.target).flatten().float()
                if len(vector) != self.feature_dims:
                    raise ValueError(
                        f'{sample.get("sample_id", "a sample")}: target {self.target!r} has {len(vector)} numbers, '
                        f'FeatureAlignment expects feature_dims={self.feature_dims}'
                    )
                rows += range(view, view + num_views)
                vectors += [vector] * num_views
            view += num_views
        stacked = torch.stack(vectors) if vectors else torch.zeros(0, self.feature_dims)
        return torch.tensor(rows, dtype=torch.long), stacked
