"""Dual-level feature restoration: an incomplete view of a clip is drawn to the complete one (EMT-DLFR)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from mmengine.model import ModuleDict
from torch import Tensor, nn

from hicmae_mm.models.fusion.emt import CONTEXT
from hicmae_mm.models.layers import mean_tokens
from hicmae_mm.models.losses.restoration import ELEMENT_LOSSES, attraction_loss, restoration_loss
from hicmae_mm.models.objectives.base import BaseObjective, Pass
from hicmae_mm.registry import MODELS
from hicmae_mm.structures import Inputs, Padded, Stream


class Projector(nn.Module):
    """Applies a linear layer and a batch norm without parameters.

    Args:
        channels: Length of the vectors.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(channels, channels), nn.BatchNorm1d(channels, affine=False))

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, channels)`` to ``(B, channels)``."""
        output: Tensor = self.net(x)
        return output


class Predictor(nn.Module):
    """Applies two linear layers with batch norm and ReLU between them.

    Args:
        channels: Length of the vectors.
        hidden_dims: Width of the layer between.
    """

    def __init__(self, channels: int, hidden_dims: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(channels, hidden_dims, bias=False),
            nn.BatchNorm1d(hidden_dims),
            nn.ReLU(),
            nn.Linear(hidden_dims, channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Maps ``(B, channels)`` to ``(B, channels)``."""
        output: Tensor = self.net(x)
        return output


@MODELS.register_module()
class FeatureRestoration(BaseObjective):
    """Losses of a second pass over incomplete input, for models behind an :class:`~hicmae_mm.models.fusion.EMTFusion`.

    Vectors of every stream are dropped at random. On the high level, the incomplete view's summaries and context are
    drawn to the complete view's by a predictor (SimSiam). On the low level, the fused sequences of the incomplete view
    restore what was dropped. The incomplete view is also supervised by the head. The losses of the whole model are

    ``head(complete) + prediction_weight * head(incomplete) + attraction_weight * attraction + reconstruction_weight *
    reconstruction``,

    while the publication weights the complete view like the attraction: where that weight is 0.5 (SIMS), give the
    head's loss ``loss_weight=0.5`` and set ``prediction_weight=2``.

    Args:
        streams: Width of each encoder; injected by the model.
        fused: Width of each stream after fusion; injected by the model.
        inputs: Length of the feature vectors of the streams whose input is restored. For the other streams, the tokens
            of the complete view are restored.
        missing_rate: Share of the vectors to drop, one for all streams or one for each. A sequence of integers is
            taken for the ids of words; the first and the last are kept.
        keep_ends: Streams of vectors whose first and last one are kept, such as the output of BERT.
        unknown_id: Id that replaces a dropped one (100 is the unknown word of BERT).
        hidden_ratio: Hidden width of the predictors over the length of the vectors.
        hidden_dims: Hidden width of some predictors by name, of the streams and ``context``, instead of that.
        element_loss: Loss of restored vectors: ``'smooth_l1'``, ``'l1'`` or ``'mse'``.
        attraction_weight: Factor of the attraction.
        reconstruction_weight: Factor of the reconstruction.
        prediction_weight: Factor of the incomplete view's supervised losses.
        loss_weight: Factor of all of them.
        init_cfg: MMEngine initialisation config.

    Raises:
        ValueError: If the model has no fusion with a context, or an option does not fit the streams.
    """

    def __init__(
        self,
        streams: Mapping[str, int],
        fused: Mapping[str, int],
        inputs: Mapping[str, int] | None = None,
        missing_rate: float | Mapping[str, float] = 0.5,
        keep_ends: Sequence[str] = (),
        unknown_id: int = 100,
        hidden_ratio: float = 0.5,
        hidden_dims: Mapping[str, int] | None = None,
        element_loss: str = 'smooth_l1',
        attraction_weight: float = 1.0,
        reconstruction_weight: float = 1.0,
        prediction_weight: float = 1.0,
        loss_weight: float = 1.0,
        init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(loss_weight, init_cfg)
        if CONTEXT not in fused:
            raise ValueError('FeatureRestoration needs a fusion with a context, such as EMTFusion')
        self.rates = dict(missing_rate) if isinstance(missing_rate, Mapping) else dict.fromkeys(streams, missing_rate)
        self.inputs = dict(inputs or {})
        hidden = dict(hidden_dims or {})
        unknown = (set(self.rates) | set(self.inputs) | set(hidden)) - set(streams) - {CONTEXT}
        if unknown or not all(0 <= rate <= 1 for rate in self.rates.values()):
            raise ValueError(f'missing_rate must be from 0 to 1, of the streams {list(streams)}; got {missing_rate}')
        if element_loss not in ELEMENT_LOSSES:
            raise ValueError(f'element_loss must be one of {list(ELEMENT_LOSSES)}, got {element_loss!r}')
        self.unknown_id, self.element_loss, self.keep_ends = unknown_id, element_loss, tuple(keep_ends)
        self.weights = (attraction_weight, reconstruction_weight, prediction_weight)
        lengths = {CONTEXT: fused[CONTEXT] * len(streams)} | dict(streams)
        widths = {name: hidden.get(name, max(int(length * hidden_ratio), 1)) for name, length in lengths.items()}
        self.projectors = ModuleDict({name: Projector(length) for name, length in lengths.items()})
        self.predictors = ModuleDict({name: Predictor(length, widths[name]) for name, length in lengths.items()})
        self.decoders = ModuleDict(
            {name: nn.Linear(fused[name], self.inputs.get(name, width)) for name, width in streams.items()}
        )

    def loss(self, this: Pass) -> dict[str, Tensor]:
        """See :meth:`BaseObjective.loss`.

        Raises:
            ValueError: If a batch has one clip while training, of which batch norm has no statistics.
        """
        incomplete, dropped = self.drop(this.inputs)
        return self.compare(this, this.run(incomplete), dropped)

    def drop(self, inputs: Inputs) -> tuple[Inputs, dict[str, Tensor]]:
        """Draws the incomplete view, and says which vectors ``(B, T)`` of each stream it lacks."""
        incomplete, dropped = dict(inputs), {}
        for name, rate in self.rates.items():
            if name in inputs and rate > 0:
                incomplete[name], dropped[name] = _drop_vectors(
                    inputs[name], rate, self.unknown_id, name in self.keep_ends
                )
        return incomplete, dropped

    def compare(self, complete: Pass, incomplete: Pass, dropped: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Computes the losses of two views of the same clips, of the same lengths."""
        attraction_weight, reconstruction_weight, prediction_weight = self.weights
        losses = {f'{key}_incomplete': value * prediction_weight for key, value in incomplete.supervised().items()}
        if self.training and len(complete.fused[CONTEXT]) < 2:
            raise ValueError('FeatureRestoration needs two clips per batch; set drop_last=True in train_dataloader')
        first, second = self.vectors(complete), self.vectors(incomplete)
        attractions = []
        for name in self.projectors:
            projected = self.projectors[name](first[name]), self.projectors[name](second[name])
            predicted = self.predictors[name](projected[0]), self.predictors[name](projected[1])
            attractions.append(attraction_loss(predicted, projected))
        losses['loss_attraction'] = attraction_weight * torch.stack(attractions).sum()
        restored = [self.restoration(name, complete, incomplete, dropped[name]) for name in dropped]
        if restored:
            losses['loss_reconstruction'] = reconstruction_weight * torch.stack(restored).sum()
        return losses

    def vectors(self, this: Pass) -> dict[str, Tensor]:
        """Returns the values of whole clips: the context ``(B, S * D)``, and a vector ``(B, D_i)`` of each stream."""
        vectors = {CONTEXT: this.fused[CONTEXT].flatten(1)}
        for name, output in this.encoded.items():
            summary = output.summary
            mean = mean_tokens(output.tokens, output.padding) if summary is None else summary.mean(dim=1)
            vectors[name] = mean
        return vectors

    def restoration(self, name: str, complete: Pass, incomplete: Pass, dropped: Tensor) -> Tensor:
        """Returns the reconstruction loss of one stream."""
        target = _values(complete.inputs[name]) if name in self.inputs else complete.encoded[name].tokens.detach()
        restored = self.decoders[name](incomplete.fused[name])
        if dropped.shape[1] > restored.shape[1]:  # the encoder has set the first and the last word apart
            dropped = dropped[:, 1 : 1 + restored.shape[1]]
        if name in complete.padding:
            dropped = dropped & ~complete.padding[name]
        return restoration_loss(restored, target, dropped, self.element_loss)


def _values(x: Stream) -> Tensor:
    return x.values if isinstance(x, Padded) else x


def _drop_vectors(x: Stream, rate: float, unknown_id: int, keeps_ends: bool) -> tuple[Stream, Tensor]:
    """Sets random vectors to 0, or ids to the unknown one; also returns which ones, ``(B, T)``."""
    values = _values(x)
    values = values.unsqueeze(1) if values.ndim == 2 and values.is_floating_point() else values
    dropped = torch.rand(values.shape[:2], device=values.device) < rate
    if isinstance(x, Padded):
        dropped &= ~x.padding
    if keeps_ends or not values.is_floating_point():
        steps = torch.arange(values.shape[1], device=values.device)
        last = x.lengths.unsqueeze(1) - 1 if isinstance(x, Padded) else values.shape[1] - 1
        dropped &= (steps > 0) & (steps < last)
    if values.is_floating_point():
        replaced = values.masked_fill(dropped.unsqueeze(-1), 0)
    else:
        replaced = values.masked_fill(dropped, unknown_id)
    if isinstance(x, Padded):
        return Padded(replaced, x.lengths), dropped
    return replaced.reshape(x.shape), dropped
