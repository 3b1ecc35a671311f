"""Learning-rate scale and weight decay of every parameter of the base model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.checkpoints.published_keys import map_published_keys
from hicmae_mm.config.paths import configs_root
from hicmae_mm.engine.optimizers import LayerDecayOptimWrapperConstructor
from hicmae_mm.registry import MODELS


def test_layer_decay_of_every_parameter(parity_dir: Path) -> None:
    expected = map_published_keys(json.loads((parity_dir / 'layer_decay_base.json').read_text()))
    finetune = Config.fromfile(configs_root() / '_base_' / 'models' / 'hicmae_base_finetune.py')
    schedule = Config.fromfile(configs_root() / '_base_' / 'schedules' / 'finetune.py')
    model_cfg = finetune.model.to_dict()
    model_cfg.pop('data_preprocessor')
    model = MODELS.build(model_cfg)

    constructor = LayerDecayOptimWrapperConstructor(
        dict(optimizer=dict(schedule.optim_wrapper.optimizer)), dict(schedule.optim_wrapper.paramwise_cfg)
    )
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    found = {
        names[id(parameter)]: [group['lr_scale'], group['weight_decay']]
        for group in constructor(model).optimizer.param_groups
        for parameter in group['params']
    }

    assert found.keys() == expected.keys()
    for name, (scale, decay) in expected.items():
        assert found[name][0] == pytest.approx(scale, rel=1e-6), name
        assert found[name][1] == decay, name
