"""Where the values of a config come from."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.origins import Origin, config_origins
from hicmae_mm.config.overrides import load_config
from hicmae_mm.config.paths import configs_root
from hicmae_mm.config.reading import base_files


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """A leaf that inherits from a middle file and from data; the middle one inherits from a model."""
    (tmp_path / 'base').mkdir()
    (tmp_path / 'base' / 'model.py').write_text(
        "model = dict(type='A', width=4, part=dict(depth=1))\nsteps = [dict(a=1), dict(b=2)]\nnone = None\n"
    )
    (tmp_path / 'base' / 'data.py').write_text('data = dict(size=(8, 8))\n')
    (tmp_path / 'middle.py').write_text("_base_ = './base/model.py'\nmodel = dict(width=5, part=dict(depth=1))\n")
    leaf = tmp_path / 'leaf.py'
    leaf.write_text(
        "_base_ = ['middle.py', 'base/data.py']\n"
        'steps = [dict(item, c=3) if "b" in item else item for item in _base_.steps]\n'
        'model = dict(width={{_base_.model.part.depth}})\n'
    )
    return leaf


def test_each_value_comes_from_the_last_file_that_changed_it(chain: Path) -> None:
    folder = chain.parent.as_posix()
    assert config_origins(chain) == {
        'model.type': Origin('A', f'{folder}/base/model.py'),
        'model.width': Origin(1, f'{folder}/leaf.py'),
        'model.part.depth': Origin(1, f'{folder}/base/model.py'),  # repeated by the middle file
        'steps.0.a': Origin(1, f'{folder}/base/model.py'),
        'steps.1.b': Origin(2, f'{folder}/base/model.py'),
        'steps.1.c': Origin(3, f'{folder}/leaf.py'),
        'none': Origin(None, f'{folder}/base/model.py'),
        'data.size': Origin((8, 8), f'{folder}/base/data.py'),
    }


def test_overrides_are_an_origin_too(chain: Path) -> None:
    cfg = Config.fromfile(chain)
    cfg.merge_from_dict({'model.part.depth': 7, 'data.size': (8, 8)})
    origins = config_origins(chain, cfg)
    assert origins['model.part.depth'] == Origin(7, '--cfg-options')
    assert origins['data.size'].source.endswith('base/data.py')


def test_every_shipped_value_has_one_origin() -> None:
    leaf = configs_root() / 'hicmae_small_cremad.py'
    origins = config_origins(leaf, load_config(leaf))
    assert {Path(origin.source).name for origin in origins.values()} == {
        'hicmae_small_cremad.py',
        'hicmae_base_finetune.py',
        'hicmae_base_classification.py',
        'cremad.py',
        'finetuning.py',
        'finetune.py',
        'default_runtime.py',
    }
    assert Path(origins['model.fusion.num_heads'].source) == leaf
    assert Path(origins['train_dataloader.dataset.pipeline.3.policy'].source).name == 'finetuning.py'


def test_configs_of_other_packages_and_forms_have_no_files_to_follow(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text("_base_ = ['mmaction::_base_/default_runtime.py', '../b.py']\n")
    (tmp_path.parent / 'b.py').touch()
    assert base_files(tmp_path / 'a.py') == [tmp_path.parent / 'b.py']
    assert base_files(tmp_path / 'a.json') == []


def test_braces_of_dictionaries_are_no_variables(tmp_path: Path) -> None:
    (tmp_path / 'a.py').write_text("_base_ = ['b.py']\nmodel = {'a': {'b': 1}}\n")
    (tmp_path / 'b.py').write_text("model = {'a': {'b': 1, 'c': 2}}\n")
    assert {key: Path(origin.source).name for key, origin in config_origins(tmp_path / 'a.py').items()} == {
        'model.a.b': 'b.py',
        'model.a.c': 'b.py',
    }
