"""Trainings by the runner on two ranks: what they send, and sharded models against whole ones."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import build_runner
from hicmae_mm.engine.wrappers import DataParallelModel, FullyShardedModel
from tests.engine.tiny_run import finetune_config, train
from tests.engine.wrappers.scenarios import Traffic, spread

pytestmark = [pytest.mark.slow, pytest.mark.dist]
SHARDED = dict(model_wrapper_cfg=dict(type='FullyShardedModel'))
EPOCHS, ITERATIONS = 2, 3  # of 20 clips, by 4 on two ranks


def config(corpus: str, work_dir: Path, **overrides: Any) -> Config:
    """Every random part of the recipe but no average of the weights; clipped gradients; trained without validation."""
    cfg = finetune_config(Path(corpus), work_dir, launcher='pytorch', custom_hooks=[], **overrides)
    cfg.optim_wrapper.clip_grad = dict(max_norm=0.5)
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1)
    for stage in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{stage}_{part}'] = None
    return cfg


def count_traffic(cfg: Config) -> dict[str, Any]:
    cfg.optim_wrapper.accumulative_counts = 4
    runner = build_runner(Config(cfg.to_dict() | dict(experiment_name='traffic')))
    assert isinstance(runner.model, DataParallelModel)
    traffic = Traffic(runner.model)
    step = runner.model.train_step

    def counted(*arguments: Any, **options: Any) -> Any:
        traffic.buckets.append([])
        return step(*arguments, **options)

    runner.model.train_step = counted
    runner.train()
    num_bytes = sum(parameter.numel() * 4 for parameter in runner.model.parameters())
    return dict(sent=[sum(sizes) / num_bytes for sizes in traffic.buckets], steps=runner.iter)


def error_of(cfg: Config) -> str:
    try:
        train(cfg)
    except ValueError as error:
        return str(error)
    return 'no error'


def run(rank: int, corpus: str, folder: str, port: int) -> None:
    """All trainings on one of two ranks."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    root, found = Path(folder), {}
    found['traffic'] = count_traffic(config(corpus, root / 'traffic'))
    train(config(corpus, root / 'whole'))
    assert isinstance(train(config(corpus, root / 'sharded', **SHARDED)).model, FullyShardedModel)
    again = dict(resume=True, load_from=str(root / 'sharded' / 'epoch_1.pth'))
    train(config(corpus, root / 'resumed', **SHARDED, **again))
    train(config(corpus, root / 'resumed_whole', **again))
    averaging = config(corpus, root / 'averaging', **SHARDED)
    averaging.custom_hooks = [dict(type='EMAHook')]
    found['averaging'] = error_of(averaging)
    misspelt = dict(model_wrapper_cfg=dict(type='FullyShardedModel', shard_sise=2))
    found['misspelt'] = error_of(config(corpus, root / 'misspelt', **misspelt))
    torch.save(found, root / f'{rank}.pth')
    dist.destroy_process_group()


@pytest.fixture(scope='module')
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp('trainings')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    spread(run, str(corpus), str(folder), port)
    return folder


def weights(checkpoint: Path, part: str = 'state_dict') -> dict[str, torch.Tensor]:
    """Weights of a checkpoint, or its optimizer's moments, named alike in any file."""
    content = read_checkpoint(checkpoint)[part]
    if part == 'state_dict':
        return content
    return {f'{index}.{name}': value for index, state in content['state'].items() for name, value in state.items()}


def assert_equal(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor], tolerance: float) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert type(found[name]) is torch.Tensor
        torch.testing.assert_close(found[name], value, atol=tolerance, rtol=tolerance, msg=lambda m: f'{name}: {m}')  # noqa: B023


def test_the_loop_sends_gradients_once_per_optimizer_step(folder: Path) -> None:
    for rank in range(2):
        found = torch.load(folder / f'{rank}.pth', weights_only=True)['traffic']
        assert found['steps'] == EPOCHS * ITERATIONS
        assert found['sent'] == [1, 0, 0, 1, 0, 1]  # the first of a static graph; windows of 4 and 2 iterations


@pytest.mark.parametrize('part', ['state_dict', 'optimizer'])
@pytest.mark.parametrize('epoch', [1, 2])
def test_a_sharded_training_is_that_of_the_whole_model(part: str, epoch: int, folder: Path) -> None:
    found, expected = (weights(folder / name / f'epoch_{epoch}.pth', part) for name in ('sharded', 'whole'))
    assert_equal(found, expected, tolerance=1e-5)


@pytest.mark.parametrize('part', ['state_dict', 'optimizer'])
def test_a_resumed_sharded_training_is_the_undisturbed_one(part: str, folder: Path) -> None:
    undisturbed = weights(folder / 'sharded' / 'epoch_2.pth', part)
    assert_equal(weights(folder / 'resumed' / 'epoch_2.pth', part), undisturbed, tolerance=0)
    assert_equal(weights(folder / 'resumed_whole' / 'epoch_2.pth', part), undisturbed, tolerance=1e-5)


def test_what_sharding_cannot_do_is_said(folder: Path) -> None:
    found = torch.load(folder / '1.pth', weights_only=True)
    assert 'EMAHook cannot work with a FullyShardedModel' in found['averaging']
    assert "model_wrapper_cfg.shard_sise of FullyShardedModel: did you mean 'shard_size'" in found['misspelt']
