"""Tells parts of a model which epoch it is, and when one ends."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn

from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import HOOKS


@runtime_checkable
class EpochPart(Protocol):
    """Describes a part of a model that has schedules by epoch."""

    def begin_epoch(self, epoch: int, num_epochs: int) -> None:
        """Begins an epoch, counted from 1. A training that resumes in the middle of an epoch begins it again."""

    def end_epoch(self) -> None:
        """Ends an epoch, before its checkpoint is written."""


def epoch_parts(model: nn.Module) -> list[EpochPart]:
    """Returns the parts of a model that have ``begin_epoch`` and ``end_epoch``."""
    return [part for part in unwrapped(model).modules() if isinstance(part, EpochPart)]


@HOOKS.register_module()
class ModelEpochHook(Hook):
    """Calls ``begin_epoch(epoch, num_epochs)`` and ``end_epoch()`` of every part of the model that has both.

    The runner adds this hook by itself if the model has such a part. What ``end_epoch`` changes must be in buffers, so
    that checkpoints contain it.
    """

    priority = 'NORMAL'

    def before_train_epoch(self, runner: Runner) -> None:
        """Begins an epoch.

        Args:
            runner: The runner.

        Raises:
            ValueError: If the training is not in epochs.
        """
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise ValueError(
                f'the model has schedules by epoch, but {type(runner.train_loop).__name__} trains without epochs; set '
                "train_cfg=dict(type='EpochTrainLoop', max_epochs=...)"
            )
        for part in epoch_parts(runner.model):
            part.begin_epoch(runner.epoch + 1, runner.max_epochs)

    def after_train_epoch(self, runner: Runner) -> None:
        """Ends an epoch.

        Args:
            runner: The runner.
        """
        for part in epoch_parts(runner.model):
            part.end_epoch()
