"""Defines the contract of an objective: it computes losses of a whole pass of a model."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mmengine.model import BaseModule
from torch import Tensor

from hicmae_mm.models.encoders import EncoderOutput
from hicmae_mm.structures import EmotionDataSample, Inputs, Stream, TokenMask


@dataclass
class Pass:
    """Stores everything that a model computed of a batch.

    Attributes:
        inputs: Normalised input by stream.
        data_samples: One per clip.
        encoded: Output of each encoder.
        fused: ``(B, N_i, D)`` by stream: the fusion's output, or each encoder's tokens without a fusion.
        padding: ``(B, N_i)`` bool, True = padding, for the streams that have any.
        features: Output of the aggregator, ``(B, D)`` or a level per time step; ``None`` in pre-training.
        masks: Masks of the streams; empty outside of pre-training.
        run: Runs the same model on other inputs, for a second view or a clip without one of its streams:
            ``this.run(inputs)``. Streams that clips lack stay absent, unless ``present`` says otherwise.
        supervised: Computes the head's losses of this pass; empty in pre-training.
    """

    inputs: Inputs
    data_samples: list[EmotionDataSample]
    encoded: dict[str, EncoderOutput]
    fused: dict[str, Tensor]
    padding: dict[str, Tensor]
    run: Callable[..., Pass]
    features: Stream | None = None
    masks: Mapping[str, TokenMask] = field(default_factory=dict)
    supervised: Callable[[], dict[str, Tensor]] = dict

    @property
    def hidden(self) -> dict[str, tuple[Tensor, ...]]:
        """Tokens after every layer, by stream."""
        return {name: output.hidden for name, output in self.encoded.items()}


class BaseObjective(BaseModule, metaclass=ABCMeta):
    """This is the base class of objectives, which exist only while training. Tests and exported models do not use them.

    The model injects what an objective's constructor names: ``streams`` (width of each encoder), ``num_layers`` (of
    each encoder), ``fused`` (width of each stream after fusion) and ``in_channels`` (length of the clip feature).

    Args:
        loss_weight: Factor of all losses of this objective. ``ObjectiveWeightHook`` changes it while training.
        init_cfg: MMEngine initialisation config.
    """

    def __init__(self, loss_weight: float = 1.0, init_cfg: dict[str, Any] | list[dict[str, Any]] | None = None) -> None:
        super().__init__(init_cfg)
        self.loss_weight = loss_weight

    @abstractmethod
    def loss(self, this: Pass) -> dict[str, Tensor]:
        """Computes the losses of a pass.

        Returns:
            Scalars. Those whose key contains ``loss`` are multiplied by ``loss_weight`` and optimised, the others are
            logged. The model adds the name of the objective to the keys.
        """


def objective_losses(objectives: Mapping[str, BaseObjective], this: Pass) -> dict[str, Tensor]:
    """Computes the weighted losses of all objectives; ``loss`` of ``contrast`` becomes ``loss_contrast``."""
    losses = {}
    for name, objective in objectives.items():
        for key, value in objective.loss(this).items():
            weighted = value * objective.loss_weight if 'loss' in key else value
            losses[f'{key}_{name}'] = weighted
    return losses


def join_losses(first: Mapping[str, Tensor], second: Mapping[str, Tensor], name: str = 'head') -> dict[str, Tensor]:
    """Joins losses under different keys.

    MMEngine logs the sum of all losses as ``loss``. A single loss of that key is the sum; beside others it would hide
    the sum in the log, and gets the name of its source.

    Args:
        first: Losses of one source.
        second: Losses of others.
        name: Name of the first source.

    Raises:
        ValueError: If both have a loss of the same key.
    """
    if second or len(first) > 1:
        first = {f'loss_{name}' if key == 'loss' else key: value for key, value in first.items()}
    both = set(first) & set(second)
    if both:
        raise ValueError(f'two losses have the key {sorted(both)}; give the objective another name')
    return {**first, **second}
