"""Linear warm-up from zero, followed by half a cosine (HiCMAE, sections 3 and 4 of the recipe)."""

from __future__ import annotations

import inspect
import math
from typing import Any

from mmengine.optim import BaseOptimWrapper
from mmengine.optim.scheduler.param_scheduler import _ParamScheduler
from torch.optim import Optimizer

from hicmae_mm.registry import PARAM_SCHEDULERS


def warmup_cosine_factor(step: int, total_steps: int, warmup_steps: int, eta_min_ratio: float) -> float:
    """Computes the learning rate of a step as a fraction of the base learning rate.

    The warm-up is ``linspace(0, 1, warmup_steps)`` with both end points. The i-th step after it has the value
    ``r + (1 - r) / 2 * (1 + cos(pi * i / (total - warmup)))`` with r = ``eta_min_ratio``.

    Args:
        step: Number of the step, from 0.
        total_steps: Number of steps of the whole training.
        warmup_steps: Number of steps of the warm-up.
        eta_min_ratio: Smallest learning rate divided by the base learning rate.

    Returns:
        The fraction in 0..1.

    Example:
        >>> from hicmae_mm.engine.schedulers.warmup_cosine import warmup_cosine_factor
        >>> [round(warmup_cosine_factor(step, 9, 3, 0.0), 2) for step in range(9)]
        [0.0, 0.5, 1.0, 1.0, 0.93, 0.75, 0.5, 0.25, 0.07]
    """
    if step < warmup_steps:
        return step / (warmup_steps - 1) if warmup_steps > 1 else 0.0
    progress = min((step - warmup_steps) / (total_steps - warmup_steps), 1.0)
    return eta_min_ratio + 0.5 * (1 - eta_min_ratio) * (1 + math.cos(math.pi * progress))


@PARAM_SCHEDULERS.register_module()
class WarmupCosineLR(_ParamScheduler):
    """Applies linear warm-up from zero and cosine decay. See :func:`warmup_cosine_factor`.

    Every parameter group keeps its own ratio to the base learning rate, so the schedule can be combined with layer
    decay.

    Lengths are iterations of the data loader. With gradient accumulation the value changes only with the steps of the
    optimizer, as in the published implementation: it is the value of a schedule over so many fewer steps.

    Args:
        optimizer: The optimizer; the runner passes it.
        warmup: Length of the warm-up in epochs (or in steps with ``by_epoch=False``).
        eta_min_ratio: Smallest learning rate divided by the base learning rate, in [0, 1].
        begin: First step.
        end: Step after the last one. The runner sets it to the length of the training.
        last_step: Index of the last finished step, for resuming without a stored state.
        by_epoch: Whether a step is an epoch. ``convert_to_iter_based=True`` in the config makes it an iteration, with
            lengths still in epochs.
        verbose: Whether to log every value.

    Raises:
        ValueError: If the warm-up is not shorter than the training, or the ratio is outside of [0, 1].

    Example:
        >>> import torch
        >>> from hicmae_mm.engine.schedulers import WarmupCosineLR
        >>> optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
        >>> schedule, rates = WarmupCosineLR(optimizer, warmup=2, end=6, by_epoch=False), []
        >>> for _ in range(6):
        ...     rates.append(round(optimizer.param_groups[0]['lr'], 2))
        ...     optimizer.step()
        ...     schedule.step()
        ...
        >>> rates
        [0.0, 1.0, 1.0, 0.85, 0.5, 0.15]
    """

    param_name = 'lr'
    accumulated = 1  # iterations per optimizer step

    def __init__(
        self,
        optimizer: Optimizer | BaseOptimWrapper,
        warmup: float = 5,
        eta_min_ratio: float = 0.0,
        begin: int = 0,
        end: int = int(1e9),
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if not 0 <= eta_min_ratio <= 1:
            raise ValueError(f'eta_min_ratio={eta_min_ratio} is outside [0, 1]')
        if not 0 <= warmup < end - begin:
            unit = 'epochs' if by_epoch else 'iterations'
            raise ValueError(
                f'warmup={warmup} {unit} must be shorter than the schedule of {end - begin} {unit}: lower '
                'param_scheduler.0.warmup or raise train_cfg.max_epochs'
            )
        self.warmup_steps = round(warmup)
        self.eta_min_ratio = eta_min_ratio
        accumulated = getattr(optimizer, '_accumulative_counts', 1)
        if accumulated > 1 and not by_epoch:
            self.accumulated = accumulated
        super().__init__(optimizer, self.param_name, begin, end, last_step, by_epoch, verbose)
        if accumulated > 1:
            # With gradient accumulation the first step of the schedule comes before the first step of the optimizer.
            # The base class would warn about this order without the next line.
            optimizer._global_step = 0  # type: ignore[union-attr]

    @classmethod
    def build_iter_from_epoch(
        cls,
        optimizer: Optimizer | BaseOptimWrapper,
        *,
        warmup: float | None = None,
        begin: int = 0,
        end: int = int(1e9),
        by_epoch: bool = True,
        epoch_length: int,
        **kwargs: Any,
    ) -> WarmupCosineLR:
        """Builds a schedule with one step for each iteration from lengths in epochs (``convert_to_iter_based=True``).

        Args:
            optimizer: The optimizer.
            warmup: Length of the warm-up in epochs. None means the default of the class.
            begin: First epoch.
            end: Epoch after the last one.
            by_epoch: Must be True.
            epoch_length: Number of iterations of an epoch.
            **kwargs: Further arguments of the class.

        Returns:
            The schedule.

        Raises:
            ValueError: If ``by_epoch`` is False, or an argument of the class is out of range.
        """
        if not by_epoch:
            raise ValueError('convert_to_iter_based=True needs by_epoch=True: the lengths are converted from epochs')
        if warmup is None:
            warmup = float(inspect.signature(cls).parameters['warmup'].default)
        end = end * epoch_length if end != int(1e9) else end
        return cls(
            optimizer,
            warmup=warmup * epoch_length,
            begin=begin * epoch_length,
            end=end,
            by_epoch=False,
            **kwargs,
        )

    # MMEngine's schedulers are defined by this method
    def _get_value(self) -> list[float]:
        factor = self._factor(self.eta_min_ratio)
        return [base * factor for base in self.base_values]

    def _factor(self, eta_min_ratio: float, has_warmup: bool = True) -> float:
        """Returns the present fraction of the base value, in steps of the optimizer."""
        step, length = self.last_step, self.end - self.begin
        warmup = self.warmup_steps
        if not has_warmup:
            step, length, warmup = max(step - warmup, 0), length - warmup, 0
        return warmup_cosine_factor(
            step // self.accumulated,
            math.ceil(length / self.accumulated),
            round(warmup / self.accumulated),
            eta_min_ratio,
        )
