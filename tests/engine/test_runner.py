"""What the runner does differently from MMEngine's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from mmengine.config import Config
from mmengine.fileio import LocalBackend, register_backend
from mmengine.registry import init_default_scope

from hicmae_mm.config.checks import check_config
from hicmae_mm.datasets import collate_audio_visual
from hicmae_mm.engine import AudioVisualRunner, build_runner
from hicmae_mm.registry import MODELS
from tests.engine.tiny_run import finetune_config, pretrain_config


@pytest.fixture(autouse=True)
def _scope() -> None:
    init_default_scope('hicmae_mm')


def _named(cfg: Config, name: str) -> Config:
    return Config(cfg.to_dict() | dict(experiment_name=name))


def test_learning_rate_scales_with_accumulated_batches_and_is_logged_so(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path)
    cfg.optim_wrapper.accumulative_counts = 8
    runner = build_runner(_named(cfg, 'scale_lr'))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    before = [group['lr'] for group in wrapper.param_groups]
    runner.scale_lr(wrapper, dict(enable=False, base_batch_size=256))
    assert [group['lr'] for group in wrapper.param_groups] == before
    runner.scale_lr(wrapper, dict(enable=True, base_batch_size=256))
    assert [group['lr'] for group in wrapper.param_groups] == pytest.approx([lr * 4 * 8 / 256 for lr in before])
    assert wrapper.get_lr()['base_lr'] == [pytest.approx(1e-3 / 8)]
    with pytest.raises(ValueError, match='needs base_batch_size'):
        runner.scale_lr(wrapper, dict(enable=True))


def _pretrained(corpus: Path, folder: Path) -> Path:
    runner = build_runner(_named(pretrain_config(corpus, folder), f'pretrained_{folder.name}'))
    torch.save(dict(state_dict=runner.model.state_dict()), folder / 'pretrained.pth')
    return folder / 'pretrained.pth'


def test_pretrained_weights_load_without_renaming_but_do_not_pass_as_a_trained_model(
    corpus: Path, tmp_path: Path
) -> None:
    checkpoint = _pretrained(corpus, tmp_path)
    weights = torch.load(checkpoint, weights_only=True)['state_dict']
    runner = build_runner(_named(finetune_config(corpus, tmp_path / 'a', load_from=str(checkpoint)), 'finetune'))
    runner.call_hook('before_run')
    runner.load_or_resume()
    own = runner.model.state_dict()
    shared = [name for name in own if name in weights and name.startswith('encoders.')]
    assert len(shared) == sum(name.startswith('encoders.') for name in own)
    assert all(torch.equal(own[name], weights[name]) for name in shared)
    text = next((tmp_path / 'a').glob('*/*.log')).read_text()
    assert 'not in the checkpoint, initial values kept: ' in text
    assert 'in the checkpoint, not used: decoders.video' in text

    runner = build_runner(_named(finetune_config(corpus, tmp_path / 'b', load_from=str(checkpoint)), 'test_it'))
    with pytest.raises(ValueError, match='does not fill this model'):
        runner.test()


@pytest.mark.parametrize(
    ('content', 'options', 'message'),
    [
        (dict(state_dict={'backbone.conv1.weight': torch.zeros(3)}), {}, 'is the wrong checkpoint'),
        ([1, 2, 3], {}, 'is not a checkpoint'),
        (dict(state_dict={'a': torch.zeros(1)}), dict(resume=True), 'holds weights but no training state'),
    ],
)
def test_wrong_checkpoints_are_named(
    content: Any, options: dict[str, Any], message: str, corpus: Path, tmp_path: Path
) -> None:
    torch.save(content, tmp_path / 'wrong.pth')
    cfg = finetune_config(corpus, tmp_path / 'run', load_from=str(tmp_path / 'wrong.pth'), **options)
    runner = build_runner(_named(cfg, tmp_path.name))
    with pytest.raises(ValueError, match=rf'wrong.pth.*{message}'):
        runner.train()
    cfg.load_from = 'absent.pth'
    with pytest.raises(FileNotFoundError, match=r'absent.pth'):
        build_runner(_named(cfg, f'{tmp_path.name}_absent'))


def test_another_runner_can_be_chosen_by_name(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path, runner_type='mmengine.Runner')
    runner = build_runner(_named(cfg, 'plain_runner'))
    assert type(runner).__name__ == 'Runner'


def test_validating_alone_needs_no_training_list(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path, load_from=str(tmp_path / 'model.pth'))
    cfg.train_dataloader.dataset.ann_file = 'absent.txt'
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / 'model.pth')
    metrics = build_runner(_named(cfg, 'val_alone')).val()
    assert 0 <= metrics['UAR'] <= 1
    assert not list(tmp_path.glob('best_*'))


def test_a_collate_function_may_be_given_itself(corpus: Path, tmp_path: Path) -> None:
    cfg = finetune_config(corpus, tmp_path)
    cfg.train_dataloader.collate_fn = collate_audio_visual
    check_config(cfg)
    loader = AudioVisualRunner.build_dataloader(cfg.train_dataloader, seed=0)
    assert loader.collate_fn is collate_audio_visual
    assert next(iter(loader))['inputs'].keys() == {'video', 'audio'}


class PrefixedBackend(LocalBackend):
    """Stands for a store that is named by ``backend_args`` alone, with names that look like local ones."""

    written: ClassVar[list[str]] = []

    def put(self, obj: bytes, filepath: str) -> None:
        self.written.append(Path(filepath).name)
        super().put(obj, filepath)


def test_a_checkpoint_goes_to_the_backend_under_its_own_name(corpus: Path, tmp_path: Path) -> None:
    register_backend('prefixed', PrefixedBackend, force=True)
    hooks = dict(checkpoint=dict(out_dir=str(tmp_path / 'store'), backend_args=dict(backend='prefixed')))
    cfg = pretrain_config(corpus, tmp_path / 'run', train_cfg=dict(max_epochs=2), default_hooks=hooks)
    build_runner(_named(cfg, 'to_backend')).train()
    assert PrefixedBackend.written == ['epoch_1.pth', 'epoch_2.pth']
    assert {path.name for path in (tmp_path / 'store').rglob('*.p*')} == {'epoch_1.pth', 'epoch_2.pth'}
