"""Weights of objectives while training."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from hicmae_mm.engine.hooks import ObjectiveWeightHook


class Model(nn.Module):
    def __init__(self, objectives: dict[str, Any]) -> None:
        super().__init__()
        self.objectives = objectives


def runner(iteration: int, **objectives: Any) -> Any:
    return SimpleNamespace(iter=iteration, max_iters=10, model=Model(objectives))


@pytest.mark.parametrize(('iteration', 'expected'), [(0, 1.0), (2, 1.0), (4, 0.75), (6, 0.5), (9, 0.5)])
def test_weight_follows_the_iteration(iteration: int, expected: float) -> None:
    objective = SimpleNamespace(loss_weight=None)
    hook = ObjectiveWeightHook('view', start=1.0, stop=0.5, begin=0.2, end=0.6)
    hook.before_train_iter(runner(iteration, view=objective), 0)
    assert objective.loss_weight == pytest.approx(expected)


def test_a_step_and_wrong_options() -> None:
    hook = ObjectiveWeightHook('view', start=0.0, stop=1.0, begin=0.5, end=0.5)
    assert [hook.weight(share) for share in (0.4, 0.5, 0.9)] == [0.0, 1.0, 1.0]
    with pytest.raises(ValueError, match='in order'):
        ObjectiveWeightHook('view', 0.0, 1.0, begin=0.8, end=0.2)
    with pytest.raises(ValueError, match=r"the model has the objectives \['other'\], but no 'view'"):
        hook.before_train_iter(runner(0, other=None), 0)
