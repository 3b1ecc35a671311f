"""Stop a training if its loss is not finite, and name the samples."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS


def sample_names(data_batch: Any) -> list[str]:
    """Names the samples of a collated batch.

    Args:
        data_batch: The batch.

    Returns:
        ``sample_id`` of each data sample, or its position in the batch if it has none.
    """
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    return [str(getattr(sample, 'sample_id', position)) for position, sample in enumerate(samples or [])]


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Raises an error that names iteration, losses and samples if a loss is infinite or not a number.

    On a GPU the losses are copied in the background and checked when they have arrived, at most ``max_lag`` iterations
    later. So the host does not wait for the step that has just started. All losses are checked before a checkpoint is
    written.

    Args:
        max_lag: Largest number of iterations whose losses have not been checked yet on a GPU.

    Raises:
        ValueError: If ``max_lag`` is below 1.
    """

    priority = 'ABOVE_NORMAL'

    def __init__(self, max_lag: int = 2) -> None:
        if max_lag < 1:
            raise ValueError(f'max_lag={max_lag} must be at least 1')
        self.max_lag = max_lag
        self._pending: deque[tuple[int, list[str], list[str], torch.Tensor, torch.cuda.Event | None]] = deque()

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,  # noqa: ARG002
        data_batch: Any = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Queues the losses of this iteration, and checks the losses that have arrived.

        Args:
            runner: The runner.
            batch_idx: Number of the batch in the epoch.
            data_batch: The batch.
            outputs: Losses by name.

        Raises:
            FloatingPointError: If a loss is not finite.
        """
        losses = {
            name: value.detach().float().reshape(())
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, torch.Tensor)
        }
        if not losses:
            return
        values = torch.stack(list(losses.values()))
        event = None
        if values.is_cuda:
            values = values.to('cpu', non_blocking=True)
            event = torch.cuda.Event()
            event.record()
        self._pending.append((runner.iter, list(losses), sample_names(data_batch), values, event))
        while self._pending and (self._has_arrived(self._pending[0][-1]) or len(self._pending) > self.max_lag):
            self._check_oldest()

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Checks all queued losses, so that no damaged weights are saved.

        Args:
            runner: The runner.
            checkpoint: The checkpoint.

        Raises:
            FloatingPointError: If a loss is not finite.
        """
        self._check_all()

    def after_train(self, runner: Runner) -> None:  # noqa: ARG002
        """Checks the losses of the last iterations.

        Args:
            runner: The runner.

        Raises:
            FloatingPointError: If a loss is not finite.
        """
        self._check_all()

    def _check_all(self) -> None:
        while self._pending:
            self._check_oldest()

    @staticmethod
    def _has_arrived(event: torch.cuda.Event | None) -> bool:
        return event is None or event.query()

    def _check_oldest(self) -> None:
        iteration, names, samples, values, event = self._pending.popleft()
        if event is not None:
            event.synchronize()
        if bool(torch.isfinite(values).all()):
            return
        listed = ', '.join(f'{name}={value:g}' for name, value in zip(names, values.tolist()))
        raise FloatingPointError(
            f'the loss is not finite in iteration {iteration + 1} ({listed}); samples of the batch: '
            f'{", ".join(samples) or "unknown"}. Check these samples, lower optim_wrapper.optimizer.lr, or train '
            'without --amp'
        )
