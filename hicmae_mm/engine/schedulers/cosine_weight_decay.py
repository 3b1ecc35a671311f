"""Change the weight decay from its first to its last value along half a cosine."""

from __future__ import annotations

from mmengine.optim import BaseOptimWrapper
from torch.optim import Optimizer

from hicmae_mm.engine.schedulers.warmup_cosine import WarmupCosineLR
from hicmae_mm.registry import PARAM_SCHEDULERS


@PARAM_SCHEDULERS.register_module()
class CosineWeightDecay(WarmupCosineLR):
    """Changes the weight decay of every parameter group to ``end_value`` (``weight_decay_end`` in the published code).

    Groups without weight decay (one-dimensional parameters) do not change.

    Args:
        optimizer: The optimizer; the runner passes it.
        end_value: Weight decay at the end of the training.
        warmup: Number of epochs (or steps) with the first value.
        begin: First step.
        end: Step after the last one. The runner sets it to the length of the training.
        last_step: Index of the last finished step, for resuming without a stored state.
        by_epoch: See :class:`WarmupCosineLR`.
        verbose: Whether to log every value.

    Raises:
        ValueError: If ``end_value`` is negative, or the warm-up is not shorter than the training.
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

    # MMEngine's schedulers are defined by this method
    def _get_value(self) -> list[float]:
        factor = self._factor(0.0, has_warmup=False)
        return [self.end_value + (base - self.end_value) * factor if base > 0 else base for base in self.base_values]
