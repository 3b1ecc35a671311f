"""Half a cosine from the first weight decay to the last, per iteration."""

from __future__ import annotations

from mmengine.optim import BaseOptimWrapper
from torch.optim import Optimizer

from hicmae_mm.engine.schedulers.warmup_cosine import WarmupCosineLR
from hicmae_mm.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class CosineWeightDecay(WarmupCosineLR):
    """Moves the weight decay of every group that has one to ``end_value`` (the published code's ``weight_decay_end``).

    Groups without weight decay (1-d parameters) stay without.

    Args:
        optimizer: Given by the runner.
        end_value: Weight decay at the end of the training.
        warmup: Epochs (or steps) at the first value.
        begin: First step.
        end: Step after the last one; the runner fills in the length of the training.
        last_step: For resuming without a state.
        by_epoch: As in :class:`WarmupCosineLR`.
        verbose: Whether to log every value.

    Raises:
        ValueError: A negative weight decay.
    """

    param_name = 'weight_decay'

    def __init__(
        self,
        optimizer: Optimizer | BaseOptimWrapper,
        end_value: float,
        warmup: float = 0,
        begin: int = 0,
        end: int = int(1e9),
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
    ) -> None:
        if end_value < 0:
            raise ValueError(f'end_value={end_value} is below 0')
        self.end_value = end_value
        super().__init__(optimizer, warmup, 0.0, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        factor = self._factor(0.0, has_warmup=False)
        return [self.end_value + (base - self.end_value) * factor if base > 0 else base for base in self.base_values]
