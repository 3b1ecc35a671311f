"""Trainings that are cut short while they validate, save or remove, and are resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import build_runner, set_resume
from hicmae_mm.engine.hooks import CheckpointHook
from tests.engine.tiny_run import finetune_config, train


class _CutShort(Hook):
    """Ends the training at a point: ``validate`` (before it), ``save`` (with the file half-way) or ``best``."""

    priority = 'LOWEST'

    def __init__(self, point: str, epoch: int) -> None:
        self.point, self.epoch = point, epoch

    def _stop(self, point: str, epoch: int) -> None:
        if (point, epoch) == (self.point, self.epoch):
            raise KeyboardInterrupt

    def before_val(self, runner: Any) -> None:
        self._stop('validate', runner.epoch)

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        self._stop('save' if 'optimizer' in checkpoint else 'best', checkpoint['meta']['epoch'])


def _config(corpus: Path, work_dir: Path, epochs: int, **checkpoint: Any) -> Config:
    cfg = finetune_config(corpus, work_dir)
    cfg.train_cfg.max_epochs = epochs
    cfg.optim_wrapper.optimizer.lr = 0.3
    cfg.default_hooks.checkpoint.update(checkpoint)
    for loader, count in ((cfg.train_dataloader, 8), (cfg.val_dataloader, 6)):
        loader.dataset.indices = count
    return cfg


def _without_validation(cfg: Config) -> Config:
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.pop('save_best')
    return cfg


def _train_until(cfg: Config, point: str, epoch: int) -> None:
    runner = build_runner(Config(cfg.to_dict() | dict(experiment_name=f'{Path(cfg.work_dir).name}_cut')))
    runner.register_hook(_CutShort(point, epoch))
    with pytest.raises(KeyboardInterrupt):
        runner.train()


def _checkpoints(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if path.suffix in ('.pth', '.partial')}


@pytest.mark.slow
def test_no_point_of_an_epoch_is_too_bad_to_resume_from(corpus: Path, tmp_path: Path) -> None:
    straight = tmp_path / 'straight'
    train(_config(corpus, straight, epochs=2))
    names = _checkpoints(straight)
    expected = {name: read_checkpoint(straight / name) for name in names}
    assert {'epoch_1.pth', 'epoch_2.pth'} < names
    assert len(names) == 3

    for point, epoch in (('validate', 1), ('best', 1), ('save', 2)):
        work_dir = tmp_path / f'{point}_{epoch}'
        _train_until(_config(corpus, work_dir, epochs=2), point, epoch)
        cfg = _config(corpus, work_dir, epochs=2)
        set_resume(cfg, 'auto')
        assert cfg.resume is True
        train(cfg)
        assert _checkpoints(work_dir) == names, (point, epoch)
        for name in names:
            found = read_checkpoint(work_dir / name)
            weights = expected[name]['state_dict']
            assert found['state_dict'].keys() == weights.keys()
            assert all(torch.equal(found['state_dict'][key], value) for key, value in weights.items()), (point, epoch)
            best = [state['message_hub']['runtime_info'].get('best_score') for state in (found, expected[name])]
            assert best[0] == best[1], (point, epoch, name)


def test_a_finished_validation_is_not_repeated_where_the_checkpoint_knows_it(corpus: Path, tmp_path: Path) -> None:
    def validations(folder: str) -> int:
        return sum(log.read_text().count('confusion matrix') for log in (tmp_path / folder).glob('*/*.log'))

    _train_until(_config(corpus, tmp_path / 'first', epochs=2), 'save', 2)
    # the first epoch was the best so far, so its checkpoint was written again after the validation
    for folder, is_known in (('knows', True), ('does_not', False)):
        checkpoint = read_checkpoint(tmp_path / 'first' / 'epoch_1.pth')
        if not is_known:
            checkpoint['message_hub']['runtime_info'].pop('last_validated_epoch')
        torch.save(checkpoint, tmp_path / f'{folder}.pth')
        cfg = _config(corpus, tmp_path / folder, epochs=2)
        set_resume(cfg, str(tmp_path / f'{folder}.pth'))
        train(cfg)
        assert validations(folder) == (1 if is_known else 2)


@pytest.mark.slow
def test_an_old_checkpoint_stays_until_the_new_one_is_whole(corpus: Path, tmp_path: Path) -> None:
    def config() -> Config:
        return _without_validation(_config(corpus, tmp_path / 'one', epochs=3, max_keep_ckpts=1))

    _train_until(config(), 'save', 3)
    assert _checkpoints(tmp_path / 'one') == {'epoch_2.pth'}
    assert Path((tmp_path / 'one' / 'last_checkpoint').read_text()).name == 'epoch_2.pth'
    left_over = (tmp_path / 'one' / 'epoch_2.pth').read_bytes()
    cfg = config()
    set_resume(cfg, 'auto')
    train(cfg)
    assert _checkpoints(tmp_path / 'one') == {'epoch_3.pth'}

    # killed after it had written the third and before it removed the second
    (tmp_path / 'one' / 'epoch_2.pth').write_bytes(left_over)
    cfg = config()
    cfg.train_cfg.max_epochs = 4
    set_resume(cfg, 'auto')
    train(cfg)
    assert _checkpoints(tmp_path / 'one') == {'epoch_4.pth'}


@pytest.mark.parametrize(
    ('measure', 'rule'),
    [(name, 'greater') for name in ('UAR', 'WAR', 'weighted_f1', 'AUC', 'PCC', 'CCC/valence', 'MER', 'emotion/UAR')]
    + [(name, 'less') for name in ('MSE', 'RMSE/arousal', 'MAE', 'valence/MSE')],
)
def test_the_rule_follows_from_the_measure(measure: str, rule: str) -> None:
    assert CheckpointHook(save_best=measure).rules == [rule]
