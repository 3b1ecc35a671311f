"""Weights of objectives that change while training."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.runner import Runner

from hicmae_mm.engine.wrappers.base import unwrapped
from hicmae_mm.registry import HOOKS


@HOOKS.register_module()
class ObjectiveWeightHook(Hook):
    """Moves the ``loss_weight`` of an objective from one value to another, linearly over a part of the training.

    The weight is a function of the iteration alone, so a resumed training goes on with the same weights.

    Args:
        objective: Name of the objective in the model's ``objectives``.
        start: Weight up to ``begin``.
        stop: Weight from ``end`` on.
        begin: Share of the training at which the weight begins to change, 0..1.
        end: Share of the training at which it has changed, ``begin``..1.

    Raises:
        ValueError: If the shares are not in order.

    Example:
        >>> hook = ObjectiveWeightHook('contrast', start=0.0, stop=0.5, begin=0.25, end=0.75)
        >>> [hook.weight(share) for share in (0.0, 0.25, 0.5, 1.0)]
        [0.0, 0.0, 0.25, 0.5]
    """

    priority = 'NORMAL'

    def __init__(self, objective: str, start: float, stop: float, begin: float = 0.0, end: float = 1.0) -> None:
        if not 0 <= begin <= end <= 1:
            raise ValueError(f'begin and end must be shares of the training in order, got {begin} and {end}')
        self.objective, self.start, self.stop, self.begin, self.end = objective, start, stop, begin, end

    def weight(self, share: float) -> float:
        """Returns the weight after a share of the training, 0..1."""
        if share >= self.end:
            return self.stop
        if share <= self.begin:
            return self.start
        return self.start + (share - self.begin) / (self.end - self.begin) * (self.stop - self.start)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:  # noqa: ARG002
        """Sets the weight of this iteration.

        Raises:
            ValueError: If the model has no objective of that name.
        """
        model = unwrapped(runner.model)
        objectives = getattr(model, 'objectives', {})
        if self.objective not in objectives:
            raise ValueError(f'the model has the objectives {list(objectives)}, but no {self.objective!r}')
        objectives[self.objective].loss_weight = self.weight(runner.iter / runner.max_iters)
