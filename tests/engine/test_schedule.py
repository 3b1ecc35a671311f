"""A resumed training follows the schedule and the options that its config asks for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

from hicmae_mm.engine import set_resume
from tests.engine.tiny_run import pretrain_config, train

STEPS = [
    dict(type='LinearLR', start_factor=0.1, begin=0, end=1, by_epoch=True, convert_to_iter_based=True),
    dict(type='CosineAnnealingLR', eta_min=1e-6, begin=1, by_epoch=True),
    dict(type='CosineWeightDecay', end_value=0.5, by_epoch=True, convert_to_iter_based=True),
]


@pytest.fixture(scope='module')
def short(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three epochs of five iterations."""
    work_dir = tmp_path_factory.mktemp('short') / 'short'
    train(_config(corpus, work_dir, 3))
    return work_dir


def _config(corpus: Path, work_dir: Path, max_epochs: int, **overrides: Any) -> Config:
    options = dict(train_cfg=dict(max_epochs=max_epochs), default_hooks=dict(checkpoint=dict(max_keep_ckpts=-1)))
    return pretrain_config(corpus, work_dir, **{**options, **overrides})


def _rates(work_dir: Path) -> list[float]:
    """Learning rate of every iteration, in order."""
    (scalars,) = work_dir.glob('*/vis_data/scalars.json')
    return [record['lr'] for record in map(json.loads, scalars.read_text().splitlines()) if 'loss' in record]


def _decays(runner: Any) -> list[float]:
    return [group['weight_decay'] for group in runner.optim_wrapper.optimizer.param_groups]


def _resumed(cfg: Config, checkpoint: Path) -> tuple[Any, str]:
    set_resume(cfg, str(checkpoint))
    runner = train(cfg)
    (log,) = Path(cfg.work_dir).glob('*/*.log')
    return runner, log.read_text()


@pytest.mark.parametrize('max_epochs', [2, 5])
def test_another_length_gives_the_schedule_of_that_length(
    max_epochs: int, short: Path, corpus: Path, tmp_path: Path
) -> None:
    train(_config(corpus, tmp_path / 'straight', max_epochs))
    runner, log = _resumed(_config(corpus, tmp_path / 'again', max_epochs), short / 'epoch_1.pth')
    straight = _rates(tmp_path / 'straight')
    assert len(straight) == 5 * max_epochs
    assert _rates(tmp_path / 'again') == straight[5:]
    assert straight[9] != pytest.approx(_rates(short)[9])
    assert f'WarmupCosineLR.end 15 -> {5 * max_epochs}' in log
    assert 'it continues at iteration 5' in log
    assert runner.param_schedulers[0].end == 5 * max_epochs


def test_another_rate_and_warm_up_are_followed(short: Path, corpus: Path, tmp_path: Path) -> None:
    def changed(name: str) -> Config:
        cfg = _config(corpus, tmp_path / name, 3)
        cfg.optim_wrapper.optimizer.update(lr=0.5, weight_decay=0.01, eps=1e-7)
        cfg.param_scheduler[0].warmup = 2
        return cfg

    train(changed('straight'))
    runner, log = _resumed(changed('again'), short / 'epoch_1.pth')
    assert _rates(tmp_path / 'again') == _rates(tmp_path / 'straight')[5:]
    assert {group['eps'] for group in runner.optim_wrapper.optimizer.param_groups} == {1e-7}
    assert set(_decays(runner)) == {0.01, 0.0}
    assert 'eps 1e-08 -> 1e-07' in log
    assert 'WarmupCosineLR.warmup_steps 5 -> 10' in log


@pytest.mark.parametrize('start', ['same', 'other'])
def test_chained_schedules_are_repeated(start: str, short: Path, corpus: Path, tmp_path: Path) -> None:
    """Linear by iteration, then cosine by epoch, whose values follow from each other; weight decay beside them."""
    straight = train(_config(corpus, tmp_path / 'straight', 5, param_scheduler=STEPS))
    if start == 'same':
        train(_config(corpus, tmp_path / 'first', 3, param_scheduler=STEPS))
    checkpoint = short / 'epoch_2.pth' if start == 'other' else tmp_path / 'first' / 'epoch_2.pth'
    runner, log = _resumed(_config(corpus, tmp_path / 'again', 5, param_scheduler=STEPS), checkpoint)
    assert _rates(tmp_path / 'again') == pytest.approx(_rates(tmp_path / 'straight')[10:], rel=1e-12)
    assert "the config's schedule is not the checkpoint's" in log
    assert _decays(runner) == pytest.approx(_decays(straight), rel=1e-12)
    assert 0.45 < max(_decays(runner)) <= 0.5


def test_a_schedule_that_follows_a_measure_keeps_its_counts(short: Path, corpus: Path, tmp_path: Path) -> None:
    plateau = [dict(type='ReduceOnPlateauLR', monitor='loss', patience=3, by_epoch=True)]
    train(_config(corpus, tmp_path / 'first', 3, param_scheduler=plateau))
    plateau[0]['patience'] = 7
    runner, log = _resumed(
        _config(corpus, tmp_path / 'again', 4, param_scheduler=plateau), tmp_path / 'first' / 'epoch_2.pth'
    )
    (scheduler,) = runner.param_schedulers
    assert (scheduler.patience, scheduler._global_step) == (7, 4)
    assert 'ReduceOnPlateauLR.patience 3 -> 7' in log


def test_the_same_schedule_is_continued_without_a_word(short: Path, corpus: Path, tmp_path: Path) -> None:
    _, log = _resumed(_config(corpus, tmp_path / 'again', 3), short / 'epoch_1.pth')
    assert _rates(tmp_path / 'again') == _rates(short)[5:]
    assert "the config's schedule" not in log


def test_a_training_that_is_at_its_end_says_so(short: Path, corpus: Path, tmp_path: Path) -> None:
    _, log = _resumed(_config(corpus, tmp_path / 'again', 3), short / 'epoch_3.pth')
    assert 'nothing is left to train' in log
