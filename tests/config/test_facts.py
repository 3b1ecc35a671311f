from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from hicmae_mm import __version__
from hicmae_mm.config.facts import build_empty_model, checkpoint_meta, dataset_facts
from hicmae_mm.config.paths import configs_root

CREMAD = configs_root() / 'hicmae_base_cremad.py'


def test_an_empty_model_has_names_and_shapes_but_no_memory() -> None:
    model = build_empty_model(Config.fromfile(CREMAD))
    state = model.state_dict()
    assert {value.device.type for value in state.values()} == {'meta'}
    assert state['head.fc.weight'].shape == (6, 2048)
    assert sum(parameter.numel() for parameter in model.parameters()) == 80_792_602
    assert torch.zeros(1).device.type == 'cpu'


def test_facts_of_the_class_yield_to_those_of_the_config() -> None:
    cfg = Config.fromfile(CREMAD)
    facts = dataset_facts(cfg)
    assert facts['name'] == 'CREMA-D'
    assert facts['classes'] == ('anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness')
    cfg.test_dataloader.dataset.metainfo = dict(classes=('a', 'b'))
    assert dataset_facts(cfg)['classes'] == ('a', 'b')
    assert dataset_facts(cfg)['name'] == 'CREMA-D'
    assert dataset_facts(Config(dict(model={}))) == {}


def test_what_a_checkpoint_should_say() -> None:
    assert checkpoint_meta(None) == {'hicmae_mm_version': __version__}
    meta = checkpoint_meta(CREMAD)
    assert meta['config_name'] == 'hicmae_base_cremad'
    assert meta['classes'][0] == 'anger'
    again = Config.fromstring(meta['config'], '.py')
    assert again.model == Config.fromfile(CREMAD).model
    with pytest.raises(FileNotFoundError, match=r'absent.py does not exist'):
        checkpoint_meta(Path('absent.py'))
