"""OpenMMLab's flags: they work, or one line says what stands in their place."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.evaluation.predictions import read_predictions
from hicmae_mm.registry import MODELS
from tests.test_tools.command import folder_names, last_line, run_tool
from tests.test_tools.modules import load_tool


@pytest.mark.parametrize(
    ('tool', 'arguments', 'message'),
    [
        ('test.py', ['c.py', 'x.pth', '--tta'], '--tta is not offered: the test pipeline takes several views'),
        ('test.py', ['c.py', 'x.pth', '--show'], '--show is not offered: no window is opened; --show-dir DIR'),
        ('test.py', ['c.py', 'x.pth', '--show', '--wait-time', '2'], '--show is not offered'),
        ('test.py', ['c.py', 'x.pth', '--interval', '2'], '--interval is a number from 1 on and needs --show-dir'),
        ('test.py', ['c.py', 'x.pth', '--dump', 'a.pkl', '--out', 'b.pkl'], '--dump and --out are both given'),
        ('test.py', ['c.py', 'x.pth', '--dump', 'a.txt'], 'pred go into one of'),
        ('analysis_tools/get_flops.py', ['c.py', '--shape', '224', '224'], 'video.patch_embed.image_size=224'),
        ('analysis_tools/eval_metric.py', ['c.py', 'x.pkl', '--metrics', 'acc'], "the metrics are the config's"),
        ('analysis_tools/confusion_matrix.py', ['c.py', 'x.pkl', '--target-classes', '1'], 'all classes are drawn'),
        ('analysis_tools/benchmark.py', ['train', 'c.py', '--fuse-conv-bn'], 'no convolutions'),
        ('visualization/vis_tsne.py', ['c.py', '--checkpoint', 'x.pth'], 'name the checkpoint after the config'),
        ('visualization/vis_tsne.py', ['c.py', 'x.pth', '--n-iter', '5'], 'two dimensions'),
        ('visualization/browse_dataset.py', ['c.py', '-i', '2'], '-i is not offered: no window is opened'),
        ('visualization/vis_scheduler.py', ['c.py', '--style', 'dark'], "this project's style"),
        ('model_converters/publish_model.py', ['a.pth', 'b.pth', '--no-ema'], 'the average is published'),
    ],
)
def test_what_stands_in_their_place_is_said(
    tool: str, arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        load_tool(tool).parse_args(arguments)
    assert ended.value.code == 2
    assert message in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.fixture
def train_config() -> Config:
    loader = dict(batch_size=2, pin_memory=True, persistent_workers=True, num_workers=2)
    return Config(
        dict(train_dataloader=loader, val_dataloader=loader, optim_wrapper=dict(type='OptimWrapper'), randomness=None)
    )


def _train_arguments(*arguments: str) -> argparse.Namespace:
    return load_tool('train.py').parse_args(['c.py', *arguments])


def test_flags_of_a_training_reach_the_config(train_config: Config) -> None:
    tool = load_tool('train.py')
    train_config.randomness = dict(seed=3)
    flags = ('--deterministic', '--diff-rank-seed', '--no-pin-memory', '--no-persistent-workers')
    tool.apply_arguments(train_config, _train_arguments(*flags))
    assert train_config.randomness == dict(seed=3, deterministic=True, diff_rank_seed=True)
    for phase in ('train', 'val'):
        loader = train_config[f'{phase}_dataloader']
        assert (loader.pin_memory, loader.persistent_workers, loader.num_workers) == (False, False, 2)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['--seed', '1', '--cfg-options', 'randomness.seed=2'], 'randomness.seed and --seed are both given'),
        (['--work-dir', 'a', '--cfg-options', 'work_dir=b'], 'work_dir and --work-dir'),
        (['--no-validate', '--cfg-options', 'val_dataloader.batch_size=2'], 'val_dataloader.batch_size and --no-val'),
        (['--resume', 'a.pth', '--cfg-options', 'load_from=b.pth'], 'load_from and --resume'),
    ],
)
def test_two_values_for_one_thing_are_refused(arguments: list[str], message: str, train_config: Config) -> None:
    with pytest.raises(ValueError, match=message):
        load_tool('train.py').apply_arguments(train_config, _train_arguments(*arguments))


@pytest.fixture(scope='module')
def checkpoint(config_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp('checkpoint') / 'model.pth'
    torch.save(dict(state_dict=MODELS.build(Config.fromfile(config_file).model).state_dict()), path)
    return path


@pytest.mark.slow
def test_flags_of_a_test_work(config_file: Path, checkpoint: Path, tmp_path: Path) -> None:
    run_tool(
        'test.py', config_file, checkpoint, '--work-dir', tmp_path, '--dump', tmp_path / 'plain.pkl',
        '--show-dir', tmp_path / 'pictures', '--interval', 5, '--no-pin-memory',
    )  # fmt: skip
    assert len(folder_names(tmp_path / 'pictures')) == 3  # of 13 clips
    result = run_tool(
        'test.py', config_file, checkpoint, '--work-dir', tmp_path, '--amp', '--dump', tmp_path / 'amp.pkl'
    )
    plain, mixed = (_scores(tmp_path / name) for name in ('plain.pkl', 'amp.pkl'))
    torch.testing.assert_close(mixed, plain, atol=2e-2, rtol=0)
    is_slow = 'has no native bfloat16' in result.stderr
    assert torch.equal(mixed, plain) == is_slow


def _scores(path: Path) -> torch.Tensor:
    predictions: list[dict[str, Any]] = read_predictions(path)
    return torch.stack([torch.as_tensor(sample['pred_score']) for sample in predictions]).float()


@pytest.mark.slow
def test_a_deterministic_training_runs(config_file: Path, tmp_path: Path) -> None:
    result = run_tool(
        'train.py', config_file, '--work-dir', tmp_path, '--no-validate', '--deterministic', '--diff-rank-seed',
        '--no-pin-memory', '--no-persistent-workers', '--cfg-options', 'train_cfg.max_epochs=2',
    )  # fmt: skip
    assert 'Epoch(train) [2][5/5]' in result.stdout + result.stderr


@pytest.mark.slow
def test_a_list_that_cannot_be_read_is_one_line(config_file: Path, tmp_path: Path) -> None:
    text = "custom_hooks=[dict(type='EMAHook'"
    result = run_tool('train.py', config_file, '--work-dir', tmp_path, '--cfg-options', text, check=False)
    assert result.returncode == 2
    assert 'lists of dictionaries are given as' in last_line(result)
