"""Defines the protocol between the engine and a model that may be wrapped."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """Returns the model without the wrapper that distributes it over processes."""
    module = model.module if is_model_wrapper(model) else model
    assert isinstance(module, nn.Module)
    return module


@runtime_checkable
class ShardedTraining(Protocol):
    """This protocol lets the runner train a model wrapper that keeps a part of the model on every rank.

    A wrapper that has these attributes and methods is trained as such; it needs no common base class.

    Attributes:
        is_sharded: True if each rank holds only its part now.
        resume_location: Device to which the checkpoint of a resumed training is read. None means the runner's choice.
    """

    is_sharded: bool
    resume_location: str | None

    def prepare_training(self, hooks: Iterable[Hook], init_weights: Callable[[], None]) -> None:
        """Shards the model before the optimizer is built.

        Args:
            hooks: The hooks of the training.
            init_weights: Sets the initial weights of the model while it is whole.

        Raises:
            ValueError: If a hook needs the whole model.
        """

    def adopt(self, optim_wrapper: OptimWrapper) -> None:
        """Makes a new optimizer save and load the state of the whole model."""

    def take_part_in_saving(self, optim_wrapper: OptimWrapper | None) -> None:
        """Sends the shards of this rank to the first one, which saves a checkpoint."""


class WholeTraining:
    """This class answers for a model that every rank holds as a whole. Its methods have nothing to do."""

    is_sharded: bool = False
    resume_location: str | None = None

    def prepare_training(self, hooks: Iterable[Hook], init_weights: Callable[[], None]) -> None:
        """Leaves the initial weights to MMEngine."""

    def adopt(self, optim_wrapper: OptimWrapper) -> None:
        """Leaves the optimizer as it is."""

    def take_part_in_saving(self, optim_wrapper: OptimWrapper | None) -> None:
        """Sends nothing: the first rank has everything."""


def sharding_of(model: nn.Module) -> ShardedTraining:
    """Returns how the training of a model is distributed over the ranks."""
    return model if isinstance(model, ShardedTraining) else WholeTraining()
