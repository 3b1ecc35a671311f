"""Trainings on candidate labels by the runner: on two ranks, and resumed in the middle of an epoch."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.config import Config

from hicmae_mm.config.paths import configs_root
from hicmae_mm.engine import build_runner
from hicmae_mm.models import SampleMemory

pytestmark = [pytest.mark.slow, pytest.mark.dist]
CLASSES = ('ANG', 'DIS', 'FEA', 'HAP', 'NEU', 'SAD')
NUM_CLIPS, EPOCHS = 32, 4
EARLY = dict(alim=dict(importance_from=2), arnet=dict(start=2, window=None, margin=(0.0, 0.0)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Statistics of 32 voices and words of other classes, with the true class and another one as candidates."""
    rng, rows = np.random.default_rng(0), ['sample_id,audio,text,label']
    (tmp_path / 'voice' / 'voice').mkdir(parents=True)
    (tmp_path / 'words.txt').write_text('\n'.join(['[UNK]', *'abc']))
    for number in range(NUM_CLIPS):
        label = number % 6
        feature = rng.normal(size=1496) + 2 * (np.arange(1496) % 6 == label)
        np.save(tmp_path / 'voice' / 'voice' / f'{number}.npy', feature.astype(np.float32))
        words = '' if number % 7 == 0 else ' '.join('abc'[label % 3] * (1 + number % 4))  # some clips lack the stream
        rows.append(f'{number},{number}.wav,{words},{CLASSES[label]}|{CLASSES[(label + 1 + number % 5) % 6]}')
    (tmp_path / 'train_described_candidates.csv').write_text('\n'.join(rows) + '\n')
    return tmp_path


def config(kind: str, data: Path, name: str, batch_size: int, **options: Any) -> Config:
    cfg = Config.fromfile(configs_root() / 'partial_labels' / f'{kind}_nano_text_synthetic.py')
    for key in ('val_dataloader', 'val_evaluator', 'val_cfg', 'test_dataloader', 'test_evaluator', 'test_cfg'):
        cfg[key] = None
    cfg.work_dir, cfg.experiment_name = str(data / name), name
    cfg.train_dataloader.batch_size = batch_size
    cfg.train_dataloader.dataset.data_root = str(data)
    cfg.train_cfg = dict(type='EpochTrainLoop', max_epochs=EPOCHS)
    cfg.model.encoders.audio.update(drop=0.0, input_drop=0.0)  # every rank draws its own
    cfg.model.refinement.update(EARLY[kind])
    cfg.model.contrast.queue_size = 32
    cfg.optim_wrapper = dict(type='OptimWrapper', optimizer=dict(type='SGD', lr=0.01))
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', by_epoch=False, interval=1, max_keep_ckpts=-1)
    cfg.visualizer = dict(type='Visualizer', vis_backends=[dict(type='LocalVisBackend')])
    cfg.param_scheduler = []
    cfg.merge_from_dict(options)
    return cfg


def trained(cfg: Config) -> dict[str, torch.Tensor]:
    """All that a training leaves: weights, buffers and what is remembered of the clips."""
    runner = build_runner(cfg)
    runner.train()
    model = getattr(runner.model, 'module', runner.model)
    memories = {name: part.rows for name, part in model.named_modules() if isinstance(part, SampleMemory)}
    assert memories
    return {name: value.clone() for name, value in {**model.state_dict(), **memories}.items()}


def on_a_rank(rank: int, kind: str, data: str, port: int) -> None:
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1')
    os.environ.update(MASTER_PORT=str(port), CUDA_VISIBLE_DEVICES='')
    gloo = dict(dist_cfg=dict(backend='gloo'))
    state = trained(config(kind, Path(data), 'two', 4, launcher='pytorch', env_cfg=gloo))
    torch.save(state, Path(data) / f'rank{rank}.pth')
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize('kind', ['alim', 'arnet'])
def test_two_ranks_agree_with_one_and_a_resumed_training_with_both(kind: str, data: Path) -> None:
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(on_a_rank, (kind, str(data), port), nprocs=2)
    first, second = (torch.load(data / f'rank{rank}.pth') for rank in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    one = trained(config(kind, data, 'one', 8))
    for name, value in one.items():
        torch.testing.assert_close(first[name], value, rtol=1e-3, atol=1e-3, msg=lambda text, name=name: name + text)
    checkpoint = data / 'one' / 'iter_6.pth'  # of 16, in the middle of the second epoch
    resumed = trained(config(kind, data, 'resumed', 8, load_from=str(checkpoint), resume=True))
    assert all(torch.equal(value, resumed[name]) for name, value in one.items())
