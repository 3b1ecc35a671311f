"""The tool that caches frozen encoders, as a command."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.checkpoints.files import write_checkpoint
from hicmae_mm.features.cache_keys import read_cache
from hicmae_mm.registry import MODELS
from tests.engine.tiny_run import finetune_config, write_corpus
from tests.test_tools.modules import load_tool


@pytest.fixture
def config(tmp_path: Path) -> Path:
    cfg = finetune_config(write_corpus(tmp_path / 'corpus'), tmp_path / 'work')
    cfg.model.frozen = ['encoders']
    cfg.model.data_preprocessor.batch_augment = None
    torch.manual_seed(0)
    write_checkpoint(tmp_path / 'base.pth', MODELS.build(cfg.model).state_dict(), {})
    Config(cfg.to_dict()).dump(tmp_path / 'frozen.py')
    return tmp_path / 'frozen.py'


def test_the_tool_caches_and_refuses_in_one_line(
    config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main = load_tool('cache_encoders.py').main
    arguments = [str(config), str(tmp_path / 'base.pth'), '--out', str(tmp_path / 'cache'), '--num-workers', '0']
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith('error: the training pipeline is random')
    assert error.count('\n') == 1
    assert main([*arguments, '--copies', '2', '--fp16']) == 0
    assert f'train: 20 of 20 clips in {tmp_path / "cache" / "train"}' in capsys.readouterr().out
    assert read_cache(tmp_path / 'cache' / 'train')['settings']['copies'] == 2
    assert main([*arguments, '--copies', '3', '--fp16']) == 1
    assert 'has features of other settings (copies: 2 there, 3 requested)' in capsys.readouterr().err
    assert main([str(config), str(tmp_path / 'none.pth'), '--out', str(tmp_path / 'cache')]) == 1
    assert 'none.pth' in capsys.readouterr().err
