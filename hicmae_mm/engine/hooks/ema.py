"""Exponential moving average of the weights that survives ``train()`` followed by ``test()``."""

from __future__ import annotations

import copy
import logging
from typing import Any

from mmengine.hooks import EMAHook as MMEngineEMAHook
from mmengine.logging import print_log
from mmengine.runner import Runner

from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import HOOKS


@HOOKS.register_module()
class EMAHook(MMEngineEMAHook):
    """MMEngine's EMA hook, with three repairs.

    * The average is built once per model. The base class rebuilds it in every ``before_run``, so a test in the process
      of the training silently scored the weights without average.
    * Its step counter stays on the host: on a GPU the base class waits for the device in every iteration.
    * Weights given by ``load_from`` are copied without a second report of what they lack.

    Args:
        ema_type: Registered average.
        momentum: Weight of the newest parameters.
        update_buffers: Whether buffers are averaged too.
        begin_iter: Iteration from which to average.
        begin_epoch: Epoch from which to average; not together with ``begin_iter``.
    """

    needs_whole_model = True  # to copy it

    def __init__(
        self,
        ema_type: str = 'ExponentialMovingAverage',
        momentum: float = 0.0002,
        update_buffers: bool = False,
        begin_iter: int = 0,
        begin_epoch: int = 0,
    ) -> None:
        super().__init__(
            ema_type,
            begin_iter=begin_iter,
            begin_epoch=begin_epoch,
            momentum=momentum,
            update_buffers=update_buffers,
        )

    def before_run(self, runner: Runner) -> None:
        """Builds the average, unless this model has one already."""
        model = unwrapped(runner.model)
        if getattr(self, 'src_model', None) is model:
            return
        super().before_run(runner)
        self.ema_model.steps = self.ema_model.steps.cpu()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restores the average when resuming, and starts it from the loaded weights otherwise."""
        if runner._resume and 'ema_state_dict' in checkpoint:
            self._swap_ema_state_dict(checkpoint)
            self.ema_model.load_state_dict(checkpoint['ema_state_dict'])
            return
        if runner._resume:
            print_log('the checkpoint has no average of the weights: it starts anew', 'current', logging.WARNING)
        own = self.ema_model.module.state_dict()
        weights = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
        fitting = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
        self.ema_model.module.load_state_dict(copy.deepcopy(fitting), strict=False)
