"""Keep accumulated gradients in checkpoints that are written between two optimizer steps."""

from __future__ import annotations

import logging
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from torch import nn

from hicmae_mm.engine.wrappers.base import sharding_of, unwrapped
from hicmae_mm.registry import HOOKS


@HOOKS.register_module()
class AccumulatedGradientHook(Hook):
    """Stores the gradients of an unfinished accumulation in the checkpoint, and restores them when resuming.

    MMEngine does not store them. With several ranks each rank has its own gradients, but only the first rank writes a
    checkpoint. In this case the gradients are lost, as in MMEngine.
    """

    priority = 'NORMAL'

    def __init__(self) -> None:
        self._restored: dict[str, torch.Tensor] | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Adds the gradients to a checkpoint between two optimizer steps.

        Args:
            runner: The runner.
            checkpoint: The checkpoint, which is changed in place.
        """
        counts = getattr(runner.optim_wrapper, '_accumulative_counts', 1)
        if counts == 1 or _is_spread(runner) or 'optimizer' not in checkpoint:
            return
        checkpoint['gradients'] = {
            name: parameter.grad.detach().cpu()
            for name, parameter in _model(runner).named_parameters()
            if parameter.grad is not None
        }

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Reads the gradients from the checkpoint when resuming.

        Args:
            runner: The runner.
            checkpoint: The checkpoint.
        """
        gradients = checkpoint.get('gradients')
        if runner._resume and gradients:
            self._restored = gradients

    def before_train(self, runner: Runner) -> None:
        """Restores the gradients of the parameters.

        Args:
            runner: The runner.
        """
        if not self._restored:
            return
        if _is_spread(runner):
            print_log('gradients between two optimizer steps are lost on resuming', 'current', logging.WARNING)
        else:
            for name, parameter in _model(runner).named_parameters():
                if name in self._restored:
                    parameter.grad = self._restored[name].to(parameter.device).clone()
        self._restored = None


def _is_spread(runner: Runner) -> bool:
    """Tells whether this process has only a part of the gradients."""
    return runner.world_size > 1 or sharding_of(runner.model).is_sharded


def _model(runner: Runner) -> nn.Module:
    return unwrapped(runner.model)
