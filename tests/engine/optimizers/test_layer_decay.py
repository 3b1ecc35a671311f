from __future__ import annotations

from typing import Any

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from hicmae_mm.engine.optimizers import LayerDecayOptimWrapperConstructor


class _Layered(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Linear(2, 3)
        self.block = nn.Linear(3, 3)
        self.head = nn.Linear(3, 1)
        self.frozen = nn.Parameter(torch.zeros(2, 2), requires_grad=False)

    def layer_depth(self, name: str) -> tuple[int, int]:
        return {'embed': 0, 'block': 1, 'head': 2}[name.split('.')[0]], 1


def _constructor(**paramwise: Any) -> LayerDecayOptimWrapperConstructor:
    return LayerDecayOptimWrapperConstructor(
        dict(type='OptimWrapper', optimizer=dict(type='AdamW', lr=0.1, weight_decay=0.05)), paramwise
    )


def test_scale_falls_with_depth_and_biases_do_not_decay() -> None:
    model = _Layered()
    wrapper = _constructor(layer_decay=0.5)(model)
    assert isinstance(wrapper, OptimWrapper)
    found = {id(p): group for group in wrapper.optimizer.param_groups for p in group['params']}
    for name, scale in dict(embed=0.25, block=0.5, head=1.0).items():
        layer = getattr(model, name)
        assert found[id(layer.weight)]['lr'] == pytest.approx(0.1 * scale)
        assert found[id(layer.weight)]['weight_decay'] == 0.05
        assert found[id(layer.bias)]['lr'] == pytest.approx(0.1 * scale)
        assert found[id(layer.bias)]['weight_decay'] == 0
    assert id(model.frozen) not in found
    assert len(wrapper.optimizer.param_groups) == 6


def test_without_layer_decay_two_groups_suffice_for_any_model() -> None:
    wrapper = _constructor()(nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2)))
    assert [(len(g['params']), g['lr'], g['weight_decay']) for g in wrapper.optimizer.param_groups] == [
        (1, 0.1, 0.05),
        (3, 0.1, 0.0),
    ]


def test_named_parameters_do_not_decay() -> None:
    groups = _constructor(no_decay=['block.weight'])(_Layered()).optimizer.param_groups
    assert [(len(group['params']), group['weight_decay']) for group in groups] == [(2, 0.05), (4, 0.0)]
    with pytest.raises(ValueError, match=r"no_decay=\['lock.weight'\] names no parameter of _Layered"):
        _constructor(no_decay='lock.weight')(_Layered())


def test_errors_name_what_is_wrong() -> None:
    with pytest.raises(TypeError, match='Sequential lacks'):
        _constructor(layer_decay=0.5)(nn.Sequential(nn.Linear(2, 2)))
    with pytest.raises(ValueError, match=r"unknown keys \['layer_decay_rate'\]"):
        _constructor(layer_decay_rate=0.5)
    with pytest.raises(ValueError, match=r'layer_decay=1.5 is outside'):
        _constructor(layer_decay=1.5)
    with pytest.raises(ValueError, match='needs `lr`'):
        LayerDecayOptimWrapperConstructor(dict(optimizer=dict(type='AdamW')))
    with pytest.raises(ValueError, match='nothing to train'):
        _constructor()(nn.Linear(2, 2).requires_grad_(False))
