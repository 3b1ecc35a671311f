"""A training with frozen encoders of pictures and sound from another library, on two ranks, resumes exactly."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from mmengine.config import Config

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import set_resume
from tests.engine.tiny_run import finetune_config, train
from tests.engine.wrappers.scenarios import spread
from tests.models.foreign import tiny_transformers

pytestmark = [pytest.mark.slow, pytest.mark.dist]


def config(corpus: str, work_dir: Path) -> Config:
    """Two iterations an epoch. Moments of the pictures, part of the sound and dropped paths are random."""
    cfg = finetune_config(Path(corpus), work_dir, launcher='pytorch', custom_hooks=[])
    tiny = {name: tiny_transformers.config(name) for name in ('clip_vision_model', 'wavlm')}
    cfg.model.encoders = dict(
        video=dict(type='TransformersEncoder', config=tiny['clip_vision_model'], tokens='frames'),
        audio=dict(type='TransformersEncoder', config=tiny['wavlm']),
    )
    cfg.model.data_preprocessor = dict(type='AudioVisualDataPreprocessor')
    cfg.model.fusion = dict(type='ConcatFusion', depth=1, num_heads=2, drop_path_rate=0.2)
    cfg.model.aggregator = dict(type='MeanPoolAggregator')
    cfg.model.frozen = ['encoders']
    cfg.train_dataloader.dataset.update(
        indices=16,
        pipeline=[
            dict(type='OpenVideo'),
            dict(type='SampleClips', mode='train', clip_len=4, frame_interval=2),
            dict(type='DecodeFrames'),
            dict(type='WholeTrack', max_seconds=0.5, random_part=True),
            dict(type='PackStreams', arrays=('video',), sequences=dict(audio='waveform')),
        ],
    )
    cfg.default_hooks.checkpoint = dict(type='CheckpointHook', interval=1, save_trainable_only=True)
    for stage in ('val', 'test'):
        for part in ('cfg', 'dataloader', 'evaluator'):
            cfg[f'{stage}_{part}'] = None
    return cfg


def run(rank: int, corpus: str, folder: str, port: int) -> None:
    """A training without a break and a resumed one, on one of two ranks."""
    os.environ.update(
        RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE='2', MASTER_ADDR='127.0.0.1', MASTER_PORT=str(port),
        CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    root = Path(folder)
    runner = train(config(corpus, root / 'whole'))
    state = {name: value.clone() for name, value in runner.model.module.state_dict().items()}
    torch.save(state, root / f'{rank}.pth')
    resumed = config(corpus, root / 'resumed')
    set_resume(resumed, str(root / 'whole' / 'epoch_1.pth'))
    train(resumed)
    dist.destroy_process_group()


def test_a_resumed_training_ends_with_the_same_weights_and_moments(corpus: Path, tmp_path: Path) -> None:
    pytest.importorskip('transformers')
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        port = probe.getsockname()[1]
    spread(run, str(corpus), str(tmp_path), port)
    first, second = (torch.load(tmp_path / f'{rank}.pth', weights_only=True) for rank in range(2))
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    whole, resumed, start = (
        read_checkpoint(tmp_path / name, with_base=False)
        for name in ('whole/epoch_2.pth', 'resumed/epoch_2.pth', 'whole/epoch_1.pth')
    )
    assert {name.partition('.')[0] for name in whole['state_dict']} == {'fusion', 'head'}  # trained parts only
    assert whole['state_dict'].keys() == resumed['state_dict'].keys()
    for name, value in whole['state_dict'].items():
        assert torch.equal(value, resumed['state_dict'][name]), name
    assert not torch.equal(whole['state_dict']['head.fc.weight'], start['state_dict']['head.fc.weight'])
    moments, again = whole['optimizer']['state'], resumed['optimizer']['state']
    assert moments.keys() == again.keys()
    for index, state in moments.items():
        assert all(torch.equal(value, again[index][name]) for name, value in state.items())
