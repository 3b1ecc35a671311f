"""Shards under a real data loader, a real training, and two ranks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed
import torch.multiprocessing
from mmengine.config import Config
from mmengine.dist import all_gather_object
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import AudioVisualRunner, set_resume
from tests.datasets.shards.packed import pack
from tests.engine.tiny_run import NUM_CLIPS, finetune_config, loader, train, train_pipeline, write_corpus

_RUN: dict[str, Any] = dict(
    val_cfg=None,
    val_dataloader=None,
    val_evaluator=None,
    default_hooks=dict(checkpoint=dict(by_epoch=False, interval=1, max_keep_ckpts=-1)),
)


@pytest.fixture(scope='module')
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_corpus(tmp_path_factory.mktemp('corpus'))
    return pack(folder / 'clips.txt', folder / 'shards', samples_per_shard=6)


def _loader(shards: Path, **options: Any) -> dict[str, Any]:
    config = loader(shards, train_pipeline(), 'index.json', **options)
    config['dataset']['type'] = 'AudioVisualShards'
    config['sampler'] = dict(type='ShardSampler', shuffle=True, window=4)
    return config


def _epochs(data_loader: DataLoader, num_epochs: int = 2) -> list[list[dict]]:
    epochs = []
    for epoch in range(num_epochs):
        data_loader.sampler.set_epoch(epoch)
        epochs.append(list(data_loader))
    return epochs


def _names(batches: list[dict]) -> list[list[str]]:
    return [[sample.sample_id for sample in batch['data_samples']] for batch in batches]


def test_workers_that_persist_read_what_one_process_reads(shards: Path, hicmae_scope: None) -> None:
    alone = _epochs(Runner.build_dataloader(_loader(shards), seed=3))
    config = _loader(shards, num_workers=2, persistent_workers=True)
    config['dataset']['data_root'] = f'file://{shards}'
    data_loader = Runner.build_dataloader(config, seed=3)
    together = _epochs(data_loader)
    for first, second in zip(alone, together):
        assert _names(first) == _names(second)
        assert sorted(name for names in _names(second) for name in names) == sorted(
            f'{i}.mp4' for i in range(NUM_CLIPS)
        )
        for one, other in zip(first, second):
            assert all(torch.equal(one['inputs'][key], other['inputs'][key]) for key in ('video', 'audio'))
    assert _names(alone[0]) != _names(alone[1])
    data_loader.sampler.skip_samples(8)  # resumed after two batches
    data_loader.sampler.set_epoch(0)
    assert _names(list(data_loader)) == _names(alone[0])[2:]


def _config(shards: Path, work_dir: Path, **options: Any) -> Config:
    cfg = finetune_config(shards, work_dir, **_RUN)
    cfg.default_hooks.checkpoint.pop('save_best')
    cfg.train_dataloader = _loader(shards, **options)
    return cfg


@pytest.mark.slow
def test_training_resumed_within_an_epoch_continues_exactly(shards: Path, tmp_path: Path) -> None:
    runner = train(_config(shards, tmp_path / 'straight'))
    assert (runner.epoch, runner.iter) == (2, 10)
    cfg = _config(shards, tmp_path / 'resumed', num_workers=2)
    set_resume(cfg, str(tmp_path / 'straight' / 'iter_7.pth'))
    assert train(cfg).iter == 10
    states = [read_checkpoint(tmp_path / name / 'iter_10.pth')['state_dict'] for name in ('straight', 'resumed')]
    start = read_checkpoint(tmp_path / 'straight' / 'iter_7.pth')['state_dict']
    assert all(torch.equal(states[0][name], value) for name, value in states[1].items())
    assert any(not torch.equal(states[0][name], value) for name, value in start.items())


def _read_on_a_rank(rank: int, num_ranks: int, shards: str, folder: str) -> None:
    store = torch.distributed.FileStore(f'{folder}/store', num_ranks)
    torch.distributed.init_process_group('gloo', store=store, rank=rank, world_size=num_ranks)
    init_default_scope('hicmae_mm')
    config = _loader(Path(shards), batch_size=3)
    data_loader = AudioVisualRunner.build_dataloader(config, seed=3)
    parts = all_gather_object([_names(batches) for batches in _epochs(data_loader)])
    if rank == 0:
        Path(folder, 'parts.json').write_text(json.dumps(parts))
    torch.distributed.destroy_process_group()


@pytest.mark.dist
@pytest.mark.slow
def test_two_ranks_read_every_clip_once(shards: Path, tmp_path: Path) -> None:
    torch.multiprocessing.spawn(_read_on_a_rank, (2, str(shards), str(tmp_path)), nprocs=2)
    parts = json.loads((tmp_path / 'parts.json').read_text())
    for epoch in range(2):
        assert [[len(names) for names in part[epoch]] for part in parts] == [[3, 3, 3, 1]] * 2
        names = [name for part in parts for batch in part[epoch] for name in batch]
        assert sorted(names) == sorted(f'{i}.mp4' for i in range(NUM_CLIPS))
    assert parts[0][0] != parts[0][1]
