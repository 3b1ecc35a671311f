from __future__ import annotations

import math

import pytest
import torch
from mmengine.optim import OptimWrapper

from hicmae_mm.engine.schedulers import CosineWeightDecay


def _wrapper(*decays: float) -> OptimWrapper:
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], weight_decay=decay) for decay in decays]
    return OptimWrapper(torch.optim.AdamW(groups, lr=1.0))


def test_half_a_cosine_in_groups_that_have_any() -> None:
    wrapper = _wrapper(0.05, 0.0)
    scheduler = CosineWeightDecay.build_iter_from_epoch(wrapper, end_value=0.25, warmup=1, end=5, epoch_length=2)
    values = []
    for _ in range(10):
        values.append([group['weight_decay'] for group in wrapper.optimizer.param_groups])
        assert [group['lr'] for group in wrapper.optimizer.param_groups] == [1.0, 1.0]
        wrapper.step()
        scheduler.step()
    # one epoch at the first value, then eight steps of cosine
    expected = [0.05, 0.05, *(0.25 - 0.2 * (1 + math.cos(math.pi * step / 8)) / 2 for step in range(8))]
    assert [value for value, _ in values] == pytest.approx(expected)
    assert {value for _, value in values} == {0.0}


def test_a_negative_end_is_refused() -> None:
    with pytest.raises(ValueError, match='end_value=-1 is below 0'):
        CosineWeightDecay(_wrapper(0.1), end_value=-1)
