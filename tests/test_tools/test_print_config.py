"""``print_config.py``, which also shows the origins of values."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from tests.test_tools.in_process import call, failure

pytestmark = pytest.mark.usefixtures('elsewhere')


def test_print_config(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = configs_root() / 'hicmae_base_cremad.py'
    options = ['--cfg-options', 'model.head.num_classes=4', '--save-path', 'kept/whole.py']
    call('misc/print_config.py', config, *options)
    out = capsys.readouterr().out
    assert out.startswith('Config:\n')
    assert 'AudioVisualRecognizer' in out
    assert Config.fromfile(tmp_path / 'kept/whole.py').model.head.num_classes == 4
    assert failure('misc/print_config.py', 'no.py') == 'config file no.py does not exist'


def test_print_config_with_origins(capsys: pytest.CaptureFixture[str]) -> None:
    config = configs_root() / 'hicmae_small_cremad.py'
    call('misc/print_config.py', config, '--origins', '--cfg-options', 'model.head.num_classes=4')
    lines = capsys.readouterr().out.splitlines()
    assert f'model.encoders.video.embed_dims = 384  # {config}' in lines
    assert 'model.head.num_classes = 4  # --cfg-options' in lines
    types = [line.split(' = ')[0] for line in lines if line.startswith('train_pipeline.') and '.type' in line]
    assert types == [f'train_pipeline.{number}.type' for number in range(10)]
