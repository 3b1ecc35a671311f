"""The schedule of the published recipe, iteration by iteration."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from mmengine.optim import OptimWrapper

from hicmae_mm.engine.schedulers import WarmupCosineLR


def _wrapper(lr: float) -> OptimWrapper:
    return OptimWrapper(torch.optim.AdamW([torch.nn.Parameter(torch.zeros(2, 2))], lr=lr))


@pytest.mark.filterwarnings('error')
def test_every_published_learning_rate(parity_dir: Path) -> None:
    recipes = json.loads((parity_dir / 'lr_schedule.json').read_text())
    assert recipes
    for name, recipe in recipes.items():
        wrapper = _wrapper(recipe['base_lr'] * recipe['total_batch_size'] / 256)
        scheduler = WarmupCosineLR.build_iter_from_epoch(
            wrapper,
            warmup=recipe['warmup_epochs'],
            end=recipe['epochs'],
            eta_min_ratio=recipe['min_lr'] / recipe['base_lr'],
            epoch_length=recipe['iters_per_epoch'],
        )
        rates = []
        for _ in range(recipe['epochs'] * recipe['iters_per_epoch']):
            rates.append(wrapper.param_groups[0]['lr'])
            wrapper.step()
            scheduler.step()
        for step, expected in recipe['values'].items():
            assert rates[int(step)] == pytest.approx(expected, rel=1e-9, abs=1e-18), (name, step)
