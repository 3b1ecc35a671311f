"""docs/recipes.md: every option that it names exists, and is taken by the component that it is for."""

from __future__ import annotations

import inspect
import re
from functools import cache
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope

from hicmae_mm import registry as R
from hicmae_mm.config.checks import check_config
from hicmae_mm.config.override_values import read_value
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.paths import configs_root

PAGE = configs_root().parent / 'docs' / 'recipes.md'
OVERRIDE = re.compile(r'`((?:\w+\.)+\w+)=([^`]+)`')
OPTION = re.compile(r'`([\w.]+)\(([^)`]*)\)`')
REGISTRIES = (R.TRANSFORMS, R.HOOKS, R.MODELS, R.PARAM_SCHEDULERS)


def _rows(stage: str) -> str:
    return PAGE.read_text(encoding='utf-8').partition(f'## {stage}')[2].partition('\n## ')[0]


def _overrides() -> list[tuple[str, str, str]]:
    leaves = {
        'Pre-training': 'hicmae_base_pretrain_voxceleb2',
        'Fine-tuning': 'hicmae_base_cremad',
        'Optimisation, both stages': 'hicmae_base_cremad',
        'Freezing, and probing': 'hicmae_base_cremad',
    }
    return [(leaf, *match) for stage, leaf in leaves.items() for match in OVERRIDE.findall(_rows(stage))]


@cache
def _plain(leaf: str) -> Config:
    return load_config(configs_root() / f'{leaf}.py')


def _value(cfg: Any, key: str) -> Any:
    for part in key.split('.'):
        cfg = cfg[int(part)] if part.isdigit() else (cfg or {}).get(part)
    return cfg


def test_the_page_names_many() -> None:
    assert len(_overrides()) > 60
    assert len(OPTION.findall(PAGE.read_text(encoding='utf-8'))) > 15


@pytest.mark.parametrize(('leaf', 'key', 'text'), _overrides())
def test_override_is_taken(leaf: str, key: str, text: str) -> None:
    init_default_scope('hicmae_mm')
    value = read_value(text)
    cfg = load_config(configs_root() / f'{leaf}.py', {key: value})
    check_config(cfg)
    assert _value(cfg, key) == value
    if key not in ('train_dataloader.batch_size', 'optim_wrapper.optimizer.type', 'default_hooks.checkpoint.rule'):
        assert _value(_plain(leaf), key) != value, 'the page shows the value that is there already'
    if key.startswith('model.'):
        with torch.device('meta'):
            R.MODELS.build(cfg.model)


@pytest.mark.parametrize(('name', 'options'), OPTION.findall(PAGE.read_text(encoding='utf-8')))
def test_option_exists(name: str, options: str) -> None:
    init_default_scope('hicmae_mm')
    kinds = [registry.get(name) for registry in REGISTRIES]
    (kind,) = {kind for kind in kinds if kind is not None}
    assert set(re.findall(r'(\w+)=', options)) <= set(inspect.signature(kind).parameters)
