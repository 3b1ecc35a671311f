"""10 iterations straight equal any interruption and resumption, bit for bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from torch import Tensor

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import set_resume
from hicmae_mm.engine.resume import check_order
from tests.engine.tiny_run import finetune_config, pretrain_config, train

_NO_VALIDATION = dict(val_cfg=None, val_dataloader=None, val_evaluator=None)
_BY_ITERATION = dict(default_hooks=dict(checkpoint=dict(by_epoch=False, interval=1, max_keep_ckpts=-1)))


def _config(kind: str, corpus: Path, work_dir: Path) -> Config:
    if kind == 'pretrain':
        return pretrain_config(corpus, work_dir, **_BY_ITERATION)
    cfg = finetune_config(corpus, work_dir, **_BY_ITERATION, **_NO_VALIDATION)
    if kind == 'bucketed':
        cfg.train_dataloader.batch_sampler = dict(type='LengthBucketBatchSampler')
    if kind == 'accumulate':
        cfg.optim_wrapper.accumulative_counts = 3
    cfg.default_hooks.checkpoint.pop('save_best')
    return cfg


def _tensors(value: Any, path: str = '') -> dict[str, Tensor]:
    """Every tensor and number of a nested state by path."""
    if isinstance(value, Tensor):
        return {path: value}
    if isinstance(value, (int, float)):
        return {path: torch.tensor(value, dtype=torch.float64)}
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, (list, tuple)) else ()
    return {key: found for name, item in items for key, found in _tensors(item, f'{path}/{name}').items()}


def _final_state(work_dir: Path) -> dict[str, Tensor]:
    checkpoint = read_checkpoint(work_dir / 'iter_10.pth')
    parts = {key: checkpoint.get(key, {}) for key in ('state_dict', 'ema_state_dict', 'optimizer', 'param_schedulers')}
    return _tensors(parts)


@pytest.mark.slow
@pytest.mark.parametrize(
    ('kind', 'interruptions'),
    [
        ('pretrain', [(5, 0), (7, 2)]),
        ('finetune', [(5, 0), (3, 2), (10, 0)]),
        ('accumulate', [(4, 0)]),
        ('bucketed', [(3, 0)]),
    ],
)
def test_resuming_continues_exactly(
    kind: str, interruptions: list[tuple[int, int]], corpus: Path, tmp_path: Path
) -> None:
    straight = tmp_path / 'straight'
    train(_config(kind, corpus, straight))
    expected = _final_state(straight)
    start = _tensors(read_checkpoint(straight / 'iter_1.pth')['state_dict'], '/state_dict')
    assert any(not torch.equal(expected[name], value) for name, value in start.items())  # it did train

    for iteration, num_workers in interruptions:
        work_dir = tmp_path / f'{kind}_{iteration}_{num_workers}'
        cfg = _config(kind, corpus, work_dir)
        cfg.train_dataloader.num_workers = num_workers
        set_resume(cfg, str(straight / f'iter_{iteration}.pth'))
        runner = train(cfg)
        assert (runner.epoch, runner.iter) == (2, 10)
        if iteration == 10:
            continue  # nothing was left to train
        found = _final_state(work_dir)
        assert found.keys() == expected.keys()
        different = [name for name, value in expected.items() if not torch.equal(found[name], value)]
        assert different == [], f'resumed at {iteration}'


def test_auto_resume_takes_the_newest_checkpoint_and_its_seed(corpus: Path, tmp_path: Path) -> None:
    cfg = pretrain_config(corpus, tmp_path / 'run', randomness=dict(seed=7))
    train(cfg)
    again = pretrain_config(corpus, tmp_path / 'run')
    set_resume(again, 'auto')
    assert again.resume is True
    assert Path(again.load_from).name == 'epoch_2.pth'
    assert again.randomness.seed == 7


def test_resuming_with_the_parts_in_another_order_is_refused() -> None:
    parts = [('audio', torch.nn.Linear(2, 2)), ('video', torch.nn.Linear(2, 2))]
    state = torch.nn.ModuleDict(reversed(parts)).state_dict()
    check_order(torch.nn.ModuleDict(reversed(parts)), state, 'run.pth')
    with pytest.raises(ValueError, match=r"another order than in 'run.pth' \(audio.weight in place of video.weight"):
        check_order(torch.nn.ModuleDict(parts), state, 'run.pth')


def test_auto_resume_without_a_checkpoint_starts_from_load_from(corpus: Path, tmp_path: Path) -> None:
    cfg = pretrain_config(corpus, tmp_path / 'empty', load_from='pretrained.pth')
    set_resume(cfg, 'auto')
    assert cfg.resume is False
    assert cfg.load_from == 'pretrained.pth'


def test_resuming_with_another_batch_size_keeps_the_point_of_the_schedule(corpus: Path, tmp_path: Path) -> None:
    train(pretrain_config(corpus, tmp_path / 'first'))
    cfg = pretrain_config(corpus, tmp_path / 'second')
    cfg.train_dataloader.batch_size = 2
    cfg.train_cfg.max_epochs = 3
    set_resume(cfg, str(tmp_path / 'first' / 'epoch_1.pth'))
    runner = train(cfg)
    assert runner.iter == 30
    scheduler = runner.param_schedulers[0]
    assert (scheduler.end, scheduler.last_step) == (30, 29)
    assert scheduler.base_values[0] == pytest.approx(3e-4 * 2 / 256)
    text = next((tmp_path / 'second').glob('*/*.log')).read_text()
    assert '5 iterations per epoch, now there are 10' in text
