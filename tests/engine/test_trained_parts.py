"""Trainings of adapters whose checkpoints hold the trained parts only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.config import Config

from hicmae_mm.checkpoints.loading import read_checkpoint
from hicmae_mm.engine import build_runner, set_resume
from hicmae_mm.registry import MODELS
from tests.engine.tiny_run import finetune_config, train

pytest.importorskip('peft')
LORA = dict(type='LoRA', target='encoders', modules=r'attn\.(qkv|proj)', r=2, dropout=0.1)


def config(corpus: Path, work_dir: Path, epochs: int = 2, trainable_only: bool = True, **options: Any) -> Config:
    """Three iterations an epoch, with a moving average."""
    cfg = finetune_config(corpus, work_dir, val_cfg=None, val_dataloader=None, val_evaluator=None)
    cfg.merge_from_dict({'model.adapters': [LORA], 'model.frozen': ('fusion',), **options})
    cfg.default_hooks.checkpoint.pop('save_best')
    cfg.default_hooks.checkpoint.update(save_trainable_only=trainable_only, max_keep_ckpts=-1)
    cfg.train_cfg.max_epochs = epochs
    cfg.param_scheduler[0].end = 2
    cfg.optim_wrapper.optimizer.lr = 0.1
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.dataset.indices = 12
    return cfg


@pytest.fixture(scope='module')
def pretrained(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the plain model without its head."""
    path = tmp_path_factory.mktemp('pretrained') / 'pretrained.pth'
    torch.manual_seed(7)
    state = MODELS.build(finetune_config(corpus, path.parent).model).state_dict()
    torch.save({name: value for name, value in state.items() if not name.startswith('head.')}, path)
    return path


def score(cfg: Config, checkpoint: Path, work_dir: Path) -> Any:
    cfg = Config(cfg.to_dict() | dict(work_dir=str(work_dir), load_from=str(checkpoint), experiment_name=work_dir.name))
    runner = build_runner(cfg)
    return runner.test(), runner.model.state_dict()


@pytest.mark.slow
def test_trained_parts_resume_and_test_as_whole_checkpoints_do(corpus: Path, pretrained: Path, tmp_path: Path) -> None:
    whole = config(corpus, tmp_path / 'whole', trainable_only=False, load_from=str(pretrained))
    parts = config(corpus, tmp_path / 'parts', load_from=str(pretrained))
    train(whole)
    train(parts)
    files = {name: tmp_path / name / 'epoch_2.pth' for name in ('whole', 'parts')}
    raw = read_checkpoint(files['parts'], with_base=False)
    assert all('lora_' in name or name.startswith(('head.', 'aggregator.')) for name in raw['state_dict'])
    assert raw['meta']['base']['sources'] == [str(pretrained)]
    assert files['parts'].stat().st_size < 0.6 * files['whole'].stat().st_size
    assert not list((tmp_path / 'parts').glob('base_*'))

    found, expected = (read_checkpoint(files[name]) for name in ('parts', 'whole'))
    for key in ('state_dict', 'ema_state_dict'):
        assert found[key].keys() == expected[key].keys()
        assert all(torch.equal(found[key][name], value) for name, value in expected[key].items())
    scores = {name: score(parts, path, tmp_path / f'test_{name}') for name, path in files.items()}
    assert scores['parts'][0] == scores['whole'][0]

    resumed = config(corpus, tmp_path / 'resumed', load_from=str(pretrained))
    set_resume(resumed, str(tmp_path / 'parts' / 'epoch_1.pth'))
    train(resumed)
    again = read_checkpoint(tmp_path / 'resumed' / 'epoch_2.pth', with_base=False)
    assert again['meta']['base'] == raw['meta']['base']
    for key in ('state_dict', 'ema_state_dict'):
        assert again[key].keys() == raw[key].keys()
        assert all(torch.equal(again[key][name], value) for name, value in raw[key].items())


def test_a_base_from_no_file_is_written(corpus: Path, tmp_path: Path) -> None:
    cfg = config(corpus, tmp_path / 'run', epochs=1, custom_hooks=[])
    runner = train(cfg)
    (base,) = (tmp_path / 'run').glob('base_*.pth')
    names = set(torch.load(base)['state_dict'])
    state = read_checkpoint(tmp_path / 'run' / 'epoch_1.pth')['state_dict']
    assert {name for name in state if name.startswith('fusion.')} < names
    assert all(torch.equal(state[name], value) for name, value in runner.model.state_dict().items())
    base.unlink()
    cfg.randomness.seed = 1  # the same seed would make the same base
    with pytest.raises(ValueError, match=rf'They belong to the weights of {base.name} \(hash {base.stem[5:]}\)'):
        score(cfg, tmp_path / 'run' / 'epoch_1.pth', tmp_path / 'test')


def test_nothing_to_leave_out_is_an_error(corpus: Path, tmp_path: Path) -> None:
    cfg = config(corpus, tmp_path, **{'model.adapters': [], 'model.frozen': ()})
    with pytest.raises(ValueError, match='save_trainable_only=True, but the model trains all of its parameters'):
        train(cfg)
