"""train() then test() in one process scores the averaged weights, as a separate process does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config
from mmengine.fileio import load

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import build_runner
from tests.engine.tiny_run import finetune_config


def _scores(cfg: Config, name: str) -> Any:
    return torch.stack([sample['pred_score'] for sample in load(cfg.test_evaluator[1].out_file_path)]), name


def test_training_then_testing_in_one_process_scores_the_average(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path / 'run', val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.default_hooks.checkpoint.pop('save_best')
    cfg.optim_wrapper.optimizer.lr = 0.5  # weights move, so that average and newest differ
    cfg.test_evaluator = [cfg.test_evaluator, dict(type='DumpResults', out_file_path=str(tmp_path / 'scores.pkl'))]

    runner = build_runner(Config(cfg.to_dict() | dict(experiment_name='ema_train')))
    runner.train()
    newest = runner.model.state_dict()['head.fc.weight'].clone()
    runner.test()
    together, _ = _scores(cfg, 'together')
    assert torch.equal(runner.model.state_dict()['head.fc.weight'], newest)  # put back

    def score(checkpoint: Path, name: str) -> Any:
        options = dict(load_from=str(checkpoint), experiment_name=name, work_dir=str(tmp_path / name))
        build_runner(Config(cfg.to_dict() | options)).test()
        return _scores(cfg, name)[0]

    saved = read_checkpoint(tmp_path / 'run' / 'epoch_2.pth')
    assert torch.equal(score(tmp_path / 'run' / 'epoch_2.pth', 'ema_test'), together)

    without = {
        name.removeprefix('module.'): value for name, value in saved['ema_state_dict'].items() if name != 'steps'
    }
    assert torch.equal(without['head.fc.weight'], newest)
    torch.save(dict(state_dict=without), tmp_path / 'newest.pth')
    assert not torch.equal(score(tmp_path / 'newest.pth', 'newest_test'), together)
