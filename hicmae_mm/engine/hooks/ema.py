"""Exponential moving average of the weights, which is kept when ``test()`` follows ``train()``."""

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
    """Extends MMEngine's EMA hook by three corrections.

    * The average is built once for each model. The base class builds it again in every ``before_run``. So a test after
      a training in the same process would use weights without averaging, and give no warning.
    * The step counter stays on the host. With the base class the host waits for the GPU in every iteration.
    * Weights of ``load_from`` are copied into the average without a second report of missing weights.

    Args:
        ema_type: Registered name of the average.
        momentum: Weight of the newest parameters.
        update_buffers: Whether buffers are averaged, too.
        begin_iter: Iteration at which the averaging starts.
        begin_epoch: Epoch at which the averaging starts. It cannot be combined with ``begin_iter``.
    """

    needs_whole_model = True  # because it copies the model

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
        """Builds the average if this model has none.

        Args:
            runner: The runner.
        """
        model = unwrapped(runner.model)
        if getattr(self, 'src_model', None) is model:
            return
        super().before_run(runner)
        self.ema_model.steps = self.ema_model.steps.cpu()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Restores the average when resuming. Otherwise it starts the average from the loaded weights.

        Args:
            runner: The runner.
            checkpoint: The checkpoint.
        """
        if runner._resume and 'ema_state_dict' in checkpoint:
            self._swap_ema_state_dict(checkpoint)
            self.ema_model.load_state_dict(checkpoint['ema_state_dict'])
            return
        if runner._resume:
            print_log(
                'the checkpoint has no average of the weights: a new average starts from its weights',
                'current',
                logging.WARNING,
            )
        own = self.ema_model.module.state_dict()
        weights = {name.removeprefix('module.'): value for name, value in checkpoint['state_dict'].items()}
        fitting = {name: value for name, value in weights.items() if name in own and value.shape == own[name].shape}
        self.ema_model.module.load_state_dict(copy.deepcopy(fitting), strict=False)
