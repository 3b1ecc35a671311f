from __future__ import annotations

import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.config.plain_text import config_from_text


@pytest.mark.parametrize('name', ['hicmae_nano_synthetic', 'hicmae_base_mer2023', 'hicmae_base_werewolf_xl'])
def test_reads_back_what_mmengine_prints(name: str) -> None:
    cfg = Config.fromfile(configs_root() / f'{name}.py')
    read = config_from_text(cfg.pretty_text)
    assert read.to_dict() == cfg.to_dict()
    assert isinstance(read.optim_wrapper.optimizer.betas, tuple)


def test_reads_plain_values() -> None:
    text = "a = dict(b=(-1, 2.5), c=[None, True], d={'e-f': 'text', 1: dict()})\ng = 1e-3"
    expected = {'a': {'b': (-1, 2.5), 'c': [None, True], 'd': {'e-f': 'text', 1: {}}}, 'g': 1e-3}
    assert config_from_text(text).to_dict() == expected


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('import os', 'line 1 is something else'),
        ('a = 1\nb = __import__("os").system("true")', r'line 2 has .__import__'),
        ('a = dict([(1, 2)])', 'line 1 has'),
        ('a = dict(b=open("x"))', r'line 1 has'),
        ('a = [i for i in range(3)]', 'line 1 has'),
        ('a = {**{}}', 'line 1 has'),
        ('a = dict(**{})', 'line 1 has'),
        ('a.b = 1', 'line 1 is something else'),
        ('a = b = 1', 'line 1 is something else'),
        ('a = (', 'not readable, line 1'),
        ('a = ' + '-' * 100_000 + '1', 'nested too deeply'),
    ],
)
def test_refuses_anything_that_would_have_to_be_run(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_from_text(text)
