"""Stops a training whose loss is not a number, and says where."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.registry import HOOKS


def sample_names(data_batch: Any) -> list[str]:
    """Names of the samples of a collated batch: ``sample_id`` where a data sample has one, else its position."""
    samples = data_batch.get('data_samples') if isinstance(data_batch, dict) else None
    return [str(getattr(sample, 'sample_id', position)) for position, sample in enumerate(samples or [])]


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Raises when a loss is infinite or not a number, naming iteration, losses and samples.

    On a GPU the losses are copied in the background and looked at as soon as they have arrived, at most ``max_lag``
    iterations later, so that the host never waits for the step just started. A checkpoint is never written before all
    losses have been checked.

    Args:
        max_lag: Iterations that may be on their way on a GPU.
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
        """Queues the losses of this iteration and checks those that have arrived."""
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
        """Checks everything that is pending, so that no damaged weights are saved."""
        self._check_all()

    def after_train(self, runner: Runner) -> None:  # noqa: ARG002
        """Checks the last iterations."""
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
            f'{", ".join(samples) or "unknown"}. Look at these samples, lower optim_wrapper.optimizer.lr, or train '
            'without --amp'
        )
