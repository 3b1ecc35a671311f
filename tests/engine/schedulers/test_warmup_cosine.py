from __future__ import annotations

import warnings
from itertools import pairwise

import pytest
import torch
from mmengine.optim import OptimWrapper

from hicmae_mm.engine.schedulers import WarmupCosineLR
from hicmae_mm.engine.schedulers.warmup_cosine import warmup_cosine_factor


def _wrapper(*rates: float, accumulative_counts: int = 1) -> OptimWrapper:
    groups = [dict(params=[torch.nn.Parameter(torch.zeros(1))], lr=rate) for rate in rates]
    return OptimWrapper(torch.optim.SGD(groups, lr=1.0), accumulative_counts=accumulative_counts)


def test_warmup_has_both_end_points_and_the_cosine_starts_at_the_top() -> None:
    factors = [warmup_cosine_factor(step, 10, 4, 0.1) for step in range(10)]
    assert factors[:5] == pytest.approx([0, 1 / 3, 2 / 3, 1, 1])
    assert factors[7] == pytest.approx(0.1 + 0.9 / 2)  # half-way
    assert all(later < earlier for earlier, later in pairwise(factors[4:]))
    assert warmup_cosine_factor(10, 10, 4, 0.1) == pytest.approx(0.1)
    assert warmup_cosine_factor(0, 10, 0, 0.1) == 1
    assert warmup_cosine_factor(0, 10, 1, 0.1) == 0


def test_groups_keep_their_ratio_down_to_the_smallest_rate() -> None:
    wrapper = _wrapper(1.0, 0.25)
    scheduler = WarmupCosineLR(wrapper, warmup=2, eta_min_ratio=0.01, end=20, by_epoch=False)
    for _ in range(20):
        small = wrapper.optimizer.param_groups[1]['lr']
        assert small == pytest.approx(wrapper.optimizer.param_groups[0]['lr'] / 4)
        wrapper.step()
        scheduler.step()
    assert wrapper.optimizer.param_groups[0]['lr'] == pytest.approx(warmup_cosine_factor(19, 20, 2, 0.01))


def test_gradient_accumulation_follows_the_optimizer_steps_and_warns_of_nothing() -> None:
    wrapper = _wrapper(1.0, accumulative_counts=4)
    wrapper.initialize_count_status(torch.nn.Linear(1, 1), 0, 10)
    rates, updates = [], 0
    with warnings.catch_warnings():
        warnings.simplefilter('error')
        scheduler = WarmupCosineLR(wrapper, warmup=8, end=10, by_epoch=False)
        for _ in range(10):
            rates.append(wrapper.optimizer.param_groups[0]['lr'])
            wrapper._inner_count += 1
            if wrapper.should_update():
                wrapper.step()
                updates += 1
            scheduler.step()
    assert rates == [0] * 4 + [1] * 4 + [1] * 2
    assert updates == 3  # 4 + 4 + the remaining 2


def test_bad_lengths_name_the_setting() -> None:
    with pytest.raises(ValueError, match=r'warmup=5 iterations must be shorter than the schedule of 5 iterations'):
        WarmupCosineLR(_wrapper(1.0), warmup=5, end=5, by_epoch=False)
    with pytest.raises(ValueError, match='eta_min_ratio=2'):
        WarmupCosineLR(_wrapper(1.0), eta_min_ratio=2)
    with pytest.raises(ValueError, match='by_epoch=True'):
        WarmupCosineLR.build_iter_from_epoch(_wrapper(1.0), by_epoch=False, epoch_length=3)
