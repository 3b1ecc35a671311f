from __future__ import annotations

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.hooks import Hook

from hicmae_mm.engine import build_runner
from tests.engine.tiny_run import pretrain_config


class _Seen(Hook):
    """Notes position and samples of every batch."""

    def __init__(self) -> None:
        self.batches: list[tuple[int, int, list[str]]] = []

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        names = [sample.sample_id for sample in data_batch['data_samples']]
        self.batches.append((runner.epoch, batch_idx, names))


def _batches(corpus: Path, work_dir: Path, sampler: str, start: int) -> list[tuple[int, int, list[str]]]:
    cfg = pretrain_config(corpus, work_dir)
    cfg.train_dataloader.sampler.type = sampler
    runner = build_runner(Config(cfg.to_dict() | dict(experiment_name=work_dir.name)))
    seen = _Seen()
    runner.register_hook(seen)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    runner.train_loop._iter = start
    runner.train()
    return seen.batches


def test_an_epoch_continues_with_the_batches_that_are_left(corpus: Path, tmp_path: Path) -> None:
    for sampler in ('SeededSampler', 'DefaultSampler'):
        whole = _batches(corpus, tmp_path / f'{sampler}_whole', sampler, 0)
        rest = _batches(corpus, tmp_path / f'{sampler}_rest', sampler, 3)
        assert [(epoch, position) for epoch, position, _ in whole] == [(e, p) for e in (0, 1) for p in range(5)]
        assert rest == whole[3:]
        assert whole[0][2] != whole[5][2]  # another order in every epoch
    text = next((tmp_path / 'SeededSampler_rest').glob('*/*.log')).read_text()
    assert 'Epoch 1 continues after 3 of 5 batches' in text
