"""Log losses without waiting for the GPU in every iteration."""

from __future__ import annotations

from typing import Any

import torch
from mmengine.hooks import LoggerHook, RuntimeInfoHook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS


@HOOKS.register_module()
class DeferredRuntimeInfoHook(RuntimeInfoHook):
    """Changes MMEngine's RuntimeInfoHook, so that losses are read from the GPU only when they are needed.

    The base class calls ``.item()`` on every loss in every iteration, and each call waits for the GPU. This hook keeps
    the tensors. It reads all of them together when the ``LoggerHook`` writes, at the end of an epoch, and before a
    checkpoint. The history gets the values of every iteration in order, so smoothed values are the same.

    Args:
        max_history: Number of values that the history keeps for each scalar. The base class copies the whole history
            in every iteration.
    """

    def __init__(self, max_history: int = 10000) -> None:
        super().__init__()
        self.max_history = max_history
        self.interval = 1
        self._pending: list[dict[str, Any]] = []

    def before_train(self, runner: Runner) -> None:
        """Reads the interval of the log from the ``LoggerHook``.

        Args:
            runner: The runner.
        """
        super().before_train(runner)
        intervals = [hook.interval for hook in runner.hooks if isinstance(hook, LoggerHook)]
        self.interval = min(intervals, default=1)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,  # noqa: ARG002
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Keeps the losses of the iteration, and adds them to the history when the log needs them.

        Args:
            runner: The runner.
            batch_idx: Number of the batch in the epoch.
            data_batch: The batch.
            outputs: Losses by name.
        """
        if outputs:
            self._pending.append(
                {key: value.detach() if isinstance(value, torch.Tensor) else value for key, value in outputs.items()}
            )
        is_due = self.every_n_inner_iters(batch_idx, self.interval) or self.every_n_train_iters(runner, self.interval)
        if is_due or self.end_of_epoch(runner.train_dataloader, batch_idx):
            self.flush(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Adds the kept values to the history in the checkpoint.

        Args:
            runner: The runner.
            checkpoint: The checkpoint, which is changed in place.
        """
        if self._pending:
            self.flush(runner)
            checkpoint['message_hub'] = runner.message_hub.state_dict()

    def flush(self, runner: Runner) -> None:
        """Reads all kept values in one transfer, and adds them to the history.

        Args:
            runner: The runner.
        """
        tensors = [value.float().mean() for outputs in self._pending for value in outputs.values() if _is_tensor(value)]
        numbers = iter(torch.stack(tensors).tolist() if tensors else [])
        for outputs in self._pending:
            for key, value in outputs.items():
                runner.message_hub.update_scalar(f'train/{key}', next(numbers) if _is_tensor(value) else value)
        self._pending.clear()
        for buffer in runner.message_hub.log_scalars.values():
            buffer.max_length = self.max_history


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)
