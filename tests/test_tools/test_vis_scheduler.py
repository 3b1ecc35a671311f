from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DefaultScope

from hicmae_mm.config.paths import configs_root
from hicmae_mm.engine.schedulers.warmup_cosine import warmup_cosine_factor
from tests.test_tools.command import last_line, run_tool
from tests.test_tools.modules import load_tool

TOOL = 'visualization/vis_scheduler.py'


def test_the_plan_is_the_recipe() -> None:
    tool = load_tool(TOOL)
    cfg = Config.fromfile(configs_root() / 'hicmae_base_cremad.py')
    cfg.model.encoders.video.depth = cfg.model.encoders.audio.depth = 2
    cfg.train_cfg.max_epochs = 8
    assert tool.iterations_per_epoch(cfg, 5974, num_processes=4) == 106  # 1494 clips a process, batches of 14
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        fastest, slowest = tool.plan(cfg, 10, 4, 'lr').values()
        momentum = tool.plan(cfg, 10, 4, 'momentum')
        decay = tool.plan(cfg, 10, 4, 'wd')
    factors = np.array([warmup_cosine_factor(step, 80, 50, 1e-3) for step in range(80)])
    assert np.allclose(fastest, 1e-3 * 56 / 256 * factors, rtol=1e-9)
    assert np.allclose(slowest, fastest * 0.75**5, rtol=1e-9)  # 2 encoder and 2 fusion layers
    assert {name: set(values) for name, values in momentum.items()} == {'all parameters': {0.9}}
    assert {name: set(values) for name, values in decay.items()} == {'weights': {0.05}, 'norms and biases': {0.0}}


def test_the_picture_is_drawn(config_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = tmp_path / 'schedule.png'
    with DefaultScope.overwrite_default_scope('hicmae_mm'):
        assert load_tool(TOOL).main([str(config_file), '--out', str(out)]) == 0
    assert cv2.imread(str(out)) is not None
    assert 'head and last norms: first 0, highest ' in capsys.readouterr().out


@pytest.mark.slow
def test_too_few_clips_end_in_one_line(config_file: Path, tmp_path: Path) -> None:
    options = ('--dataset-size', 3, '--cfg-options', 'train_dataloader.drop_last=True')
    result = run_tool(TOOL, config_file, *options, '--out', tmp_path / 'schedule.png', check=False)
    assert result.returncode == 1
    assert last_line(result) == 'error: 3 clips on 1 processes: not one full batch of 4'
